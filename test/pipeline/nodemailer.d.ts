// What the stories use of nodemailer, which brings no types.
declare module 'nodemailer' {
  export function createTransport(options: Readonly<Record<string, unknown>>): {
    sendMail(message: Readonly<Record<string, unknown>>): Promise<{ response: string }>
  }
}
