// The only file that reads the process's environment (style rule noProcessEnv holds the others to it).

export const environment: Readonly<Record<string, string | undefined>> = process.env
