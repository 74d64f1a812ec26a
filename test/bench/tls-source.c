/* Load that can do what smtp-source cannot: TLS, and clients with addresses of their own.
 *
 *   tls-source -p PORT -s SESSIONS -m MESSAGES [-c MESSAGES-PER-CONNECTION] [-l SIZE]
 *              [-t none|starttls|implicit] [-r] [-a ADDRESSES] [-f SENDER] [-o RECIPIENT] [-h HELO]
 *
 * A thread for each session, which waits for every reply (no pipelining), as smtp-source does. With -l 0 nothing is
 * sent: connect, handshake, 220, QUIT, 221, so that MESSAGES counts handshakes. -r resumes the session before, and ends
 * with an error when the server did not. -a takes client addresses from 127.1.0.0/16 in turn. Certificates are not
 * verified: what the client does is not what is measured. Prints JSON: seconds, and what TLS was spoken.
 * Ends with an error at the first reply that is not the expected one, so that a finished run is an accepted run. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum tls { NONE, STARTTLS, IMPLICIT };

static struct {
  int port, sessions, messages, per_connection, size, addresses, resume;
  enum tls tls;
  const char *sender, *recipient, *helo;
} options = {.sessions = 1, .messages = 1, .per_connection = 1, .sender = "sender@example.org",
             .recipient = "recipient@example.test", .helo = "client.example.org"};

static SSL_CTX *context;
static char *message;
static size_t message_length;
static atomic_int begun, connections;
static char spoken[100];

/* One connection; `ticket` outlives it, for the next one of the thread. */
struct client {
  int socket;
  SSL *ssl;
  SSL_SESSION *ticket;
  char input[8192];
  size_t length;
};

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "%s: %s\n", what, detail);
  exit(1);
}

static void put(struct client *client, const char *octets, size_t length) {
  while (length > 0) {
    ssize_t written = client->ssl ? SSL_write(client->ssl, octets, (int)length) : write(client->socket, octets, length);
    if (written <= 0) fail("write", "the server closed the connection");
    octets += written;
    length -= (size_t)written;
  }
}

/* Reads one reply, whose last line has a space after its code (RFC 5321 section 4.2.1). */
static void expect(struct client *client, const char *code) {
  for (;;) {
    char *end = memchr(client->input, '\n', client->length);
    if (end) {
      size_t line = (size_t)(end - client->input) + 1;
      int last = client->input[3] == ' ', good = strncmp(client->input, code, 3) == 0;
      if (!good) {
        *end = 0;
        fail("unexpected reply", client->input);
      }
      memmove(client->input, end + 1, client->length - line);
      client->length -= line;
      if (last) return;
      continue;
    }
    char *free = client->input + client->length;
    size_t room = sizeof client->input - client->length;
    ssize_t got = client->ssl ? SSL_read(client->ssl, free, (int)room) : read(client->socket, free, room);
    if (got <= 0) fail("read", "the server closed the connection");
    client->length += (size_t)got;
  }
}

static void say(struct client *client, const char *format, const char *argument, const char *code) {
  char line[600];
  put(client, line, (size_t)snprintf(line, sizeof line, format, argument));
  expect(client, code);
}

static void shake_hands(struct client *client) {
  client->ssl = SSL_new(context);
  SSL_set_app_data(client->ssl, client);
  SSL_set_fd(client->ssl, client->socket);
  int resuming = options.resume && client->ticket;
  if (resuming) {
    SSL_SESSION *copy = SSL_SESSION_dup(client->ticket); /* OpenSSL takes a ticket once */
    SSL_set_session(client->ssl, copy);
    SSL_SESSION_free(copy);
  }
  if (SSL_connect(client->ssl) != 1) fail("handshake", "failed");
  if (resuming && !SSL_session_reused(client->ssl)) fail("handshake", "the session was not resumed");
  if (!spoken[0]) snprintf(spoken, sizeof spoken, "%s %s", SSL_get_version(client->ssl), SSL_get_cipher(client->ssl));
}

static int keep_ticket(SSL *ssl, SSL_SESSION *ticket) {
  struct client *client = SSL_get_app_data(ssl);
  if (client->ticket) return 0;
  client->ticket = ticket;
  return 1;
}

static void open_connection(struct client *client) {
  int on = 1, number = atomic_fetch_add(&connections, 1);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  client->socket = socket(AF_INET, SOCK_STREAM, 0);
  client->length = 0;
  setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (options.addresses) {
    struct sockaddr_in own = {.sin_family = AF_INET};
    own.sin_addr.s_addr = htonl(0x7f010000u + (unsigned)(number % options.addresses));
    setsockopt(client->socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(client->socket, (struct sockaddr *)&own, sizeof own)) fail("bind", "no address");
  }
  address.sin_port = htons((unsigned short)options.port);
  if (connect(client->socket, (struct sockaddr *)&address, sizeof address)) fail("connect", "refused");
  if (options.tls == IMPLICIT) shake_hands(client);
  expect(client, "220");
}

static void close_connection(struct client *client) {
  say(client, "QUIT\r\n", "", "221");
  if (client->ssl) {
    SSL_shutdown(client->ssl); /* quietly; a session without it may not be resumed */
    SSL_free(client->ssl);
    client->ssl = NULL;
  }
  close(client->socket);
}

static void *session(void *unused) {
  struct client client = {0};
  (void)unused;
  for (;;) {
    int first = atomic_fetch_add(&begun, options.per_connection);
    if (first >= options.messages) return NULL;
    open_connection(&client);
    if (options.size > 0) {
      say(&client, "EHLO %s\r\n", options.helo, "250");
      if (options.tls == STARTTLS) {
        say(&client, "STARTTLS\r\n", "", "220");
        shake_hands(&client);
        say(&client, "EHLO %s\r\n", options.helo, "250");
      }
      for (int n = first; n < first + options.per_connection && n < options.messages; n++) {
        say(&client, "MAIL FROM:<%s>\r\n", options.sender, "250");
        say(&client, "RCPT TO:<%s>\r\n", options.recipient, "250");
        say(&client, "DATA\r\n", "", "354");
        put(&client, message, message_length);
        expect(&client, "250");
      }
    }
    close_connection(&client);
  }
}

/* The size is that of the body, as smtp-source counts it. */
static void write_message(void) {
  const char *line = "What is written on this line is written on all lines of the body.\r\n";
  message = malloc((size_t)options.size + 1000);
  message_length = (size_t)sprintf(message, "From: <%s>\r\nTo: <%s>\r\nSubject: load\r\nMessage-ID: <1@example.org>\r\n\r\n",
                                   options.sender, options.recipient);
  for (size_t end = message_length + (size_t)options.size; message_length < end; message_length += strlen(line))
    strcpy(message + message_length, line);
  strcpy(message + message_length, ".\r\n");
  message_length += 3;
}

static enum tls tls_named(const char *name) {
  if (!strcmp(name, "starttls")) return STARTTLS;
  return strcmp(name, "implicit") ? NONE : IMPLICIT;
}

int main(int count, char **arguments) {
  for (int option; (option = getopt(count, arguments, "p:s:m:c:l:t:ra:f:o:h:")) != -1;) switch (option) {
      case 'p': options.port = atoi(optarg); break;
      case 's': options.sessions = atoi(optarg); break;
      case 'm': options.messages = atoi(optarg); break;
      case 'c': options.per_connection = atoi(optarg); break;
      case 'l': options.size = atoi(optarg); break;
      case 't': options.tls = tls_named(optarg); break;
      case 'r': options.resume = 1; break;
      case 'a': options.addresses = atoi(optarg); break;
      case 'f': options.sender = optarg; break;
      case 'o': options.recipient = optarg; break;
      case 'h': options.helo = optarg; break;
      default: return 64;
    }
  signal(SIGPIPE, SIG_IGN);
  write_message();
  context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_quiet_shutdown(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_ticket);
  pthread_t *threads = calloc((size_t)options.sessions, sizeof *threads);
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int n = 0; n < options.sessions; n++) pthread_create(&threads[n], NULL, session, NULL);
  for (int n = 0; n < options.sessions; n++) pthread_join(threads[n], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
  printf("{\"seconds\":%.3f,\"tls\":\"%s\"}\n", seconds, spoken);
  return 0;
}
