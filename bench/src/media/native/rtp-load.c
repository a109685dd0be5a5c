/*
 * The two ends of `npm run bench -- media` that are not Node.
 *
 *   rtp-load generate WARM SECONDS
 *                                ports on standard input, one a line: a G.711 stream of 20 ms packets to each on 127.0.0.1. After
 *                                WARM seconds it says so and goes on for so many more.
 *   rtp-load receive STREAMS     binds so many sockets, prints their ports, and drains all every 20 ms by recvmmsg: the least that a
 *                                program can do with these packets, until standard input ends
 *
 * What they print is JSON, a line each.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define PACKET_MS 20
#define HEADER_BYTES 12
#define PAYLOAD_BYTES 160
#define PACKET_BYTES (HEADER_BYTES + PAYLOAD_BYTES)
/* The streams' packets are spread over their 20 ms in steps of 1 ms. */
#define SLOTS 20
#define PAYLOADS 64
#define RECEIVE_BUFFER (1024 * 1024)
#define AT_ONCE 8

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void *must(void *memory) {
  if (memory == NULL) die("memory");
  return memory;
}

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void sleep_until(int64_t ns) {
  struct timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) continue;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* xorshift32: the same sound in each run. */
static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

static void put16(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value);
}

struct stream {
  struct sockaddr_in to;
  uint8_t header[HEADER_BYTES];
  struct iovec parts[2];
  uint32_t sequence;
  uint32_t timestamp;
};

static void prepare(struct stream *stream, uint8_t *payload) {
  put16(stream->header + 2, stream->sequence++);
  put32(stream->header + 4, stream->timestamp);
  stream->timestamp += PAYLOAD_BYTES;
  stream->parts[1].iov_base = payload;
}

/* Sends the packets of the streams slot, slot + SLOTS, ... Returns how many the kernel took. */
static uint64_t send_slot(int from, struct mmsghdr *messages, uint32_t count) {
  uint64_t sent = 0;
  while (sent < count) {
    int took = sendmmsg(from, messages + sent, (unsigned)(count - sent), 0);
    if (took < 0 && errno != EINTR && errno != EAGAIN && errno != ENOBUFS) die("sendmmsg");
    if (took > 0) sent += (uint64_t)took;
  }
  return sent;
}

static int generate(double warm, double seconds) {
  uint32_t count = 0, room = 1024, random = 2463534242u;
  struct stream *streams = must(malloc(room * sizeof *streams));
  for (int port; scanf("%d", &port) == 1; count++) {
    if (count == room) streams = must(realloc(streams, (room *= 2) * sizeof *streams));
    struct stream *stream = memset(&streams[count], 0, sizeof *stream);
    stream->to.sin_family = AF_INET;
    stream->to.sin_port = htons((uint16_t)port);
    stream->to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    stream->header[0] = 0x80; /* RFC 3550: version 2; payload type 0 is PCMU */
    put32(stream->header + 8, next_random(&random));
    stream->sequence = next_random(&random) & 0xffff;
    stream->timestamp = next_random(&random);
  }
  if (count == 0) return fprintf(stderr, "no ports on standard input\n"), 1;
  /* Half of them loud, half silence: what a voice detector has to tell apart. */
  static uint8_t payloads[PAYLOADS][PAYLOAD_BYTES];
  for (int i = 0; i < PAYLOADS; i++)
    for (int k = 0; k < PAYLOAD_BYTES; k++)
      payloads[i][k] = i < PAYLOADS / 2 ? (uint8_t)(next_random(&random) & 0x9f) : 0xff;
  struct mmsghdr *messages = must(calloc(count, sizeof *messages));
  for (uint32_t i = 0, slot = 0; slot < SLOTS; slot++)
    for (uint32_t k = slot; k < count; k += SLOTS, i++) {
      struct stream *stream = &streams[k];
      stream->parts[0] = (struct iovec){.iov_base = stream->header, .iov_len = HEADER_BYTES};
      stream->parts[1].iov_len = PAYLOAD_BYTES;
      messages[i].msg_hdr.msg_name = &stream->to;
      messages[i].msg_hdr.msg_namelen = sizeof stream->to;
      messages[i].msg_hdr.msg_iov = stream->parts;
      messages[i].msg_hdr.msg_iovlen = 2;
    }
  int from = socket(AF_INET, SOCK_DGRAM, 0);
  if (from < 0) die("socket");

  uint64_t sent = 0, warm_rounds = (uint64_t)(warm * 1000 / PACKET_MS);
  uint64_t rounds = warm_rounds + (uint64_t)(seconds * 1000 / PACKET_MS);
  int64_t start = now_ns(), measured = start, latest = 0;
  double cpu = 0;
  for (uint64_t round = 0; round < rounds; round++) {
    if (round == warm_rounds) {
      printf("{\"sent\":%llu}\n", (unsigned long long)sent);
      fflush(stdout);
      sent = 0;
      latest = 0;
      measured = now_ns();
      cpu = cpu_seconds();
    }
    for (uint32_t slot = 0, first = 0; slot < SLOTS; slot++) {
      uint32_t of_slot = count / SLOTS + (slot < count % SLOTS ? 1 : 0);
      int64_t due = start + (int64_t)(round * SLOTS + slot) * (PACKET_MS * 1000000 / SLOTS);
      sleep_until(due);
      int64_t late = now_ns() - due;
      if (late > latest) latest = late;
      /* Each stream says something for a while and is silent for a while. */
      for (uint32_t k = slot; k < count; k += SLOTS)
        prepare(&streams[k], payloads[((round / 50 + k) % 2) * (PAYLOADS / 2) + (round + k) % (PAYLOADS / 2)]);
      sent += send_slot(from, messages + first, of_slot);
      first += of_slot;
    }
  }
  printf("{\"sent\":%llu,\"seconds\":%.3f,\"latestMs\":%.2f,\"cpuSeconds\":%.3f}\n", (unsigned long long)sent,
         (double)(now_ns() - measured) / 1e9, (double)latest / 1e6, cpu_seconds() - cpu);
  return 0;
}

static bool input_ended(void) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  return poll(&input, 1, 0) > 0;
}

static int receive(uint32_t count) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int *sockets = must(calloc(count, sizeof *sockets));
  printf("{\"ports\":[");
  for (uint32_t i = 0; i < count; i++) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    int buffer = RECEIVE_BUFFER;
    sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
    if (sockets[i] < 0 || bind(sockets[i], (struct sockaddr *)&own, length) != 0 ||
        getsockname(sockets[i], (struct sockaddr *)&own, &length) != 0)
      die("socket");
    setsockopt(sockets[i], SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    printf("%s%d", i == 0 ? "" : ",", ntohs(own.sin_port));
  }
  printf("]}\n");
  fflush(stdout);

  static uint8_t bytes[AT_ONCE][2048];
  struct iovec parts[AT_ONCE];
  struct mmsghdr messages[AT_ONCE];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < AT_ONCE; i++) {
    parts[i] = (struct iovec){.iov_base = bytes[i], .iov_len = sizeof bytes[i]};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  uint64_t packets = 0;
  int64_t due = now_ns();
  for (bool last = false; !last;) {
    last = input_ended();
    for (uint32_t i = 0; i < count; i++)
      for (int got = AT_ONCE; got == AT_ONCE;) {
        got = recvmmsg(sockets[i], messages, AT_ONCE, MSG_DONTWAIT, NULL);
        if (got > 0) packets += (uint64_t)got;
      }
    due += PACKET_MS * 1000000;
    sleep_until(due);
  }
  printf("{\"packets\":%llu}\n", (unsigned long long)packets);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "generate") == 0) return generate(atof(argv[2]), atof(argv[3]));
  if (argc == 3 && strcmp(argv[1], "receive") == 0) return receive((uint32_t)atoi(argv[2]));
  fprintf(stderr, "usage: rtp-load generate WARM SECONDS | receive STREAMS\n");
  return 2;
}
