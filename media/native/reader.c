/*
 * Reads many UDP sockets in one call: what lies in the kernel's buffers of a worker's lent sockets goes, by recvmmsg, straight
 * into memory that JavaScript sees. Nothing is allocated here after `add`, no thread is started, and nothing ever waits: the
 * caller's timer says when to read.
 *
 * That memory is a file of /dev/shm, and outlives the process. With a SIGKILL the kernel still finishes the system call, so
 * that a datagram is always in a socket or in the file, where a replacement finds it: whatever the kernel wrote into the
 * file by itself (lengths, sources, times) is enough to make the record that the dead process did not come to.
 *
 * Which sockets have something is asked of an edge-triggered epoll instance. Nobody sleeps on it, so that a packet wakes no
 * one; a socket without packets (RTCP, a held call) costs nothing.
 *
 * Linux only: recvmmsg, epoll, SO_TIMESTAMPNS. JavaScript's side is media/src/native/reader.ts.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef EARSHOT_NODE_HEADERS
#define NAPI_VERSION 8
#include <node_api.h>
#endif
#ifndef EARSHOT_NODE_HEADERS
#include "node-api.h"
#endif

#define EXPORT __attribute__((visibility("default")))

/* Datagrams asked for in one recvmmsg: a stream has one every 20 ms; after a pause there are more. */
#define AT_ONCE 8
#define EVENTS 512
/* 32-bit words of a datagram's record; see reader.ts. */
#define RECORD 10
/* 32-bit words before the records; see reader.ts. To be changed with anything in the file's layout. */
#define HEAD 16
#define LAYOUT 0x45525401
/* Datagrams of one socket before the others have their turn: a flood on one port must not keep all others waiting. */
#define FAIR 32
/* A socket that fails again and again is left until the next packet comes. */
#define MAX_ERRORS 8
/* linux/sock_diag.h: the words of SO_MEMINFO, and which one counts dropped packets. */
#define MEMINFO_WORDS 9
#define MEMINFO_DROPS 8
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

union address {
  sa_family_t family;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

struct lent {
  int fd; /* -1: free */
  sa_family_t family;
  uint16_t port;
  union address source; /* of the last datagram */
};

union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(struct timespec))];
};

/* The first words of the memory. */
struct head {
  int32_t layout;
  int32_t datagrams;
  int32_t datagram_bytes;
  int32_t count; /* records that are whole; JavaScript sets it to 0 when it is done with them */
  int32_t port;  /* of the socket that is being read */
  int32_t want;  /* datagrams that were asked of it, from `count` on */
};

struct reader {
  int epoll;
  int stamping; /* a socket of ours for which the kernel stamps all packets; see start_stamping */
  uint32_t datagrams; /* as many as a call may read */
  uint32_t datagram_bytes;
  uint32_t used; /* by the last call */
  /* All of the following lie in the memory. */
  void *memory;
  size_t memory_bytes;
  struct head *head;
  int32_t *records;
  double *arrivals;
  struct mmsghdr *messages;
  union address *sources;
  union control *controls;
  struct iovec *vectors;
  uint8_t *bytes;
  struct lent *sockets;
  uint32_t socket_count;
  struct epoll_event events[EVENTS];
  int event_count;
  int event_at;
};

static double microseconds(const struct timespec *time) {
  return (double)time->tv_sec * 1e6 + (double)time->tv_nsec / 1e3;
}

/* What is to be added to a time of CLOCK_REALTIME, which the kernel stamps packets with, to get one of CLOCK_MONOTONIC. */
static double monotonic_offset_us(void) {
  struct timespec real, monotonic;
  clock_gettime(CLOCK_REALTIME, &real);
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  return microseconds(&monotonic) - microseconds(&real);
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static void prepare(struct reader *reader, uint32_t at) {
  reader->messages[at].msg_len = 0; /* the kernel sets it with the datagram */
  struct msghdr *header = &reader->messages[at].msg_hdr;
  header->msg_name = &reader->sources[at];
  header->msg_namelen = sizeof(union address);
  header->msg_iov = &reader->vectors[at];
  header->msg_iovlen = 1;
  header->msg_control = &reader->controls[at];
  header->msg_controllen = sizeof(union control);
  header->msg_flags = 0;
}

static bool same_source(const union address *one, const union address *other) {
  if (one->family != other->family) return false;
  if (one->family == AF_INET)
    return one->v4.sin_port == other->v4.sin_port && one->v4.sin_addr.s_addr == other->v4.sin_addr.s_addr;
  return one->v6.sin6_port == other->v6.sin6_port &&
         memcmp(&one->v6.sin6_addr, &other->v6.sin6_addr, sizeof one->v6.sin6_addr) == 0;
}

/* Arrival by the kernel, microseconds of CLOCK_MONOTONIC; negative when the kernel did not say. */
static double arrival_of(struct msghdr *header, double offset_us) {
  for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    struct timespec time;
    memcpy(&time, CMSG_DATA(part), sizeof time);
    return microseconds(&time) + offset_us;
  }
  return -1;
}

/*
 * The record of the datagram at a place: socket, length (-1: it did not fit), whether the source is another one than before, its
 * family, port and address, the socket's own port, and whether JavaScript has handed it on.
 */
static void record(struct reader *reader, uint32_t at, uint32_t which, struct lent *socket, double offset_us) {
  struct msghdr *header = &reader->messages[at].msg_hdr;
  const union address *source = &reader->sources[at];
  int32_t *out = &reader->records[at * RECORD];
  out[0] = (int32_t)which;
  out[1] = (header->msg_flags & MSG_TRUNC) != 0 ? -1 : (int32_t)reader->messages[at].msg_len;
  out[2] = 0;
  out[3] = (source->family == AF_INET ? 4 << 16 : 6 << 16) | ntohs(source->v4.sin_port); /* where IPv6 has it too */
  if (source->family == AF_INET)
    memcpy(&out[4], &source->v4.sin_addr, 4);
  else
    memcpy(&out[4], &source->v6.sin6_addr, 16);
  out[8] = socket->port;
  out[9] = 0;
  reader->arrivals[at] = arrival_of(header, offset_us);
  if (!same_source(source, &socket->source)) {
    socket->source = *source;
    out[2] = 1;
  }
}

/* The compiler must not move what the kernel or another process is to see in this order. */
#define IN_ORDER() __asm__ volatile("" ::: "memory")

enum drained { EMPTY, HAD_ITS_SHARE, BUFFER_FULL };

/* Reads a socket until it is empty, `most` were read, or the buffer is full. */
static enum drained drain(struct reader *reader, uint32_t which, uint32_t *used, uint32_t most, double offset_us) {
  int errors = 0;
  for (;;) {
    struct lent *socket = &reader->sockets[which];
    if (socket->fd < 0) return EMPTY;
    uint32_t want = reader->datagrams - *used;
    if (want == 0) return BUFFER_FULL;
    if (most == 0) return HAD_ITS_SHARE;
    if (want > AT_ONCE) want = AT_ONCE;
    if (want > most) want = most;
    reader->head->port = socket->port;
    reader->head->want = (int32_t)want;
    IN_ORDER();
    int got = recvmmsg(socket->fd, &reader->messages[*used], want, MSG_DONTWAIT, NULL);
    if (got < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EBADF || ++errors > MAX_ERRORS) return EMPTY;
      continue;
    }
    for (int i = 0; i < got; i++) record(reader, (*used)++, which, socket, offset_us);
    IN_ORDER();
    reader->head->count = (int32_t)*used;
    IN_ORDER();
    reader->head->want = 0;
    if ((uint32_t)got < want) return EMPTY;
    most -= (uint32_t)got;
  }
}

/* An edge-triggered instance does not tell twice of what waits: asked anew it does, after the others that it knows of. */
static void ask_again(struct reader *reader, uint32_t which) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = which};
  epoll_ctl(reader->epoll, EPOLL_CTL_MOD, reader->sockets[which].fd, &event);
}

/* Whether the buffer is full is for the caller to see: used is then as large as datagrams. */
static void drain_all(struct reader *reader) {
  double offset_us = monotonic_offset_us();
  for (;;) {
    for (; reader->event_at < reader->event_count; reader->event_at++) {
      uint32_t which = reader->events[reader->event_at].data.u32;
      if (which >= reader->socket_count) continue;
      enum drained drained = drain(reader, which, &reader->used, FAIR, offset_us);
      if (drained == BUFFER_FULL) return;
      if (drained == HAD_ITS_SHARE) ask_again(reader, which);
    }
    reader->event_at = 0;
    reader->event_count = epoll_wait(reader->epoll, reader->events, EVENTS, 0);
    if (reader->event_count <= 0) {
      reader->event_count = 0;
      return;
    }
  }
}

static void begin(struct reader *reader) {
  reader->head->count = 0;
  IN_ORDER();
  for (uint32_t at = 0; at < reader->used; at++) prepare(reader, at);
  reader->used = 0;
}

static uint32_t read_all(struct reader *reader) {
  begin(reader);
  drain_all(reader);
  return reader->used;
}

/* One socket, whether epoll has told of it or not. */
static uint32_t read_one(struct reader *reader, uint32_t which) {
  begin(reader);
  if (which < reader->socket_count) drain(reader, which, &reader->used, UINT32_MAX, monotonic_offset_us());
  return reader->used;
}

/* --- the memory ------------------------------------------------------------------------------------------------------ */

static void *place(struct reader *reader, size_t size) {
  /* Before the memory is there: only its size is wanted. */
  void *at = reader->memory == NULL ? NULL : (uint8_t *)reader->memory + reader->memory_bytes;
  reader->memory_bytes += (size * reader->datagrams + 63) & ~(size_t)63;
  return at;
}

static void lay_out(struct reader *reader) {
  reader->memory_bytes = HEAD * sizeof(int32_t);
  reader->head = reader->memory;
  reader->records = place(reader, RECORD * sizeof(int32_t));
  reader->arrivals = place(reader, sizeof(double));
  reader->bytes = place(reader, reader->datagram_bytes);
  reader->messages = place(reader, sizeof *reader->messages);
  reader->sources = place(reader, sizeof *reader->sources);
  reader->controls = place(reader, sizeof *reader->controls);
  reader->vectors = place(reader, sizeof *reader->vectors);
}

/* The file of that name, if it is ours and nobody else's; else memory that ends with the process. Returns whether it was there. */
static bool map_memory(struct reader *reader, const char *path) {
  lay_out(reader);
  const size_t size = reader->memory_bytes;
  bool before = false;
  int fd = path[0] == 0 ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct stat status;
  if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
                  (status.st_mode & 077) != 0)) {
    close(fd);
    fd = -1;
  }
  if (fd >= 0) {
    before = (size_t)status.st_size == size;
    /* posix_fallocate: a full /dev/shm must say so now, not with a signal at some packet. */
    if ((!before && ftruncate(fd, 0) != 0) || posix_fallocate(fd, 0, (off_t)size) != 0) {
      close(fd);
      fd = -1;
      before = false;
    }
  }
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (fd >= 0) close(fd);
  reader->memory = memory == MAP_FAILED ? NULL : memory;
  if (reader->memory != NULL) lay_out(reader);
  return before;
}

/* What a killed process had read and may not have written elsewhere: its whole records, and what its last call got. */
static void recover(struct reader *reader) {
  struct head *head = reader->head;
  const int32_t limit = (int32_t)reader->datagrams;
  if (head->layout != LAYOUT || head->datagrams != limit || head->datagram_bytes != (int32_t)reader->datagram_bytes ||
      head->count < 0 || head->count > limit || head->want < 0 || head->want > limit - head->count) {
    head->count = 0;
    return;
  }
  struct lent socket = {.fd = -1, .port = (uint16_t)head->port};
  double offset_us = monotonic_offset_us();
  for (int32_t i = 0, from = head->count; i < head->want; i++) {
    uint32_t at = (uint32_t)(from + i);
    struct mmsghdr *message = &reader->messages[at];
    if (message->msg_len == 0) break;
    /* Its addresses were the dead process's. */
    message->msg_hdr.msg_control = &reader->controls[at];
    if (message->msg_hdr.msg_controllen > sizeof(union control)) message->msg_hdr.msg_controllen = 0;
    record(reader, at, 0, &socket, offset_us);
    head->count = (int32_t)at + 1;
  }
  for (int32_t at = 0; at < head->count; at++)
    if (reader->records[at * RECORD + 1] > head->datagram_bytes) head->count = 0;
}

/* --- sockets --------------------------------------------------------------------------------------------------------- */

static int grow(struct reader *reader, uint32_t count) {
  if (count <= reader->socket_count) return 0;
  uint32_t larger = reader->socket_count < 64 ? 64 : reader->socket_count;
  while (larger < count) larger *= 2;
  struct lent *sockets = realloc(reader->sockets, larger * sizeof *sockets);
  if (sockets == NULL) return ENOMEM;
  for (uint32_t i = reader->socket_count; i < larger; i++) sockets[i].fd = -1;
  reader->sockets = sockets;
  reader->socket_count = larger;
  return 0;
}

static int add_socket(struct reader *reader, uint32_t which, int fd, int receive_buffer) {
  int error = grow(reader, which + 1);
  if (error != 0) return error;
  union address own;
  socklen_t length = sizeof own;
  if (getsockname(fd, (struct sockaddr *)&own, &length) != 0) return errno;
  int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) return errno;
  /* As large as the system allows: less than was asked for is no error. */
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  struct lent *socket = &reader->sockets[which];
  memset(socket, 0, sizeof *socket);
  socket->fd = fd;
  socket->family = own.family;
  socket->port = ntohs(own.v4.sin_port); /* where IPv6 has it too */
  /* An edge-triggered instance tells of what waits already. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = which};
  if (epoll_ctl(reader->epoll, EPOLL_CTL_ADD, fd, &event) == 0) return 0;
  socket->fd = -1;
  return errno;
}

static int remove_socket(struct reader *reader, uint32_t which) {
  if (which >= reader->socket_count || reader->sockets[which].fd < 0) return EBADF;
  int fd = reader->sockets[which].fd;
  reader->sockets[which].fd = -1;
  return epoll_ctl(reader->epoll, EPOLL_CTL_DEL, fd, NULL) == 0 ? 0 : errno;
}

static int send_from(struct reader *reader, uint32_t which, const void *bytes, size_t length, const char *host,
                     uint16_t port) {
  if (which >= reader->socket_count || reader->sockets[which].fd < 0) return EBADF;
  const struct lent *socket = &reader->sockets[which];
  union address to;
  memset(&to, 0, sizeof to);
  socklen_t size = sizeof to.v4;
  if (inet_pton(AF_INET, host, &to.v4.sin_addr) == 1) {
    to.v4.sin_family = AF_INET;
    to.v4.sin_port = htons(port);
    if (socket->family == AF_INET6) {
      /* RFC 4291 section 2.5.5.2: an IPv4-mapped address, for a socket of both families. */
      uint32_t v4 = to.v4.sin_addr.s_addr;
      memset(&to, 0, sizeof to);
      to.v6.sin6_family = AF_INET6;
      to.v6.sin6_port = htons(port);
      to.v6.sin6_addr.s6_addr[10] = to.v6.sin6_addr.s6_addr[11] = 0xff;
      memcpy(&to.v6.sin6_addr.s6_addr[12], &v4, 4);
      size = sizeof to.v6;
    }
  } else if (inet_pton(AF_INET6, host, &to.v6.sin6_addr) == 1) {
    to.v6.sin6_family = AF_INET6;
    to.v6.sin6_port = htons(port);
    size = sizeof to.v6;
  } else {
    return EINVAL;
  }
  ssize_t sent = sendto(socket->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, size);
  return sent < 0 ? errno : 0;
}

/*
 * The kernel stamps packets while a socket anywhere asks for it, and begins some time after the first one did. This one asks as long
 * as the reader lives, so that the first packets of the first call are stamped too.
 */
static int start_stamping(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int on = 1;
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  return fd;
}

/* The memory stays: JavaScript may still have views of it. There is one reader a process. */
static void release(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct reader *reader = data;
  if (reader->epoll >= 0) close(reader->epoll);
  if (reader->stamping >= 0) close(reader->stamping);
  free(reader->sockets);
  free(reader);
}

/* --- Node-API -------------------------------------------------------------------------------------------------------- */

static napi_value number(napi_env env, int32_t value) {
  napi_value result = NULL;
  napi_create_int32(env, value, &result);
  return result;
}

static napi_value fail(napi_env env, const char *message) {
  napi_throw_error(env, "ERR_RTP_READER", message);
  return NULL;
}

/* The reader and the arguments after it as ints. NULL, with an exception under way, when they are not that. */
static struct reader *arguments(napi_env env, napi_callback_info info, size_t ints, int32_t *values, napi_value *rest) {
  napi_value argv[8];
  size_t argc = 8;
  void *reader = NULL;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != 0 || argc < ints + 1 ||
      napi_get_value_external(env, argv[0], &reader) != 0)
    return (void *)fail(env, "a reader and its arguments are wanted");
  for (size_t i = 0; i < ints; i++)
    if (napi_get_value_int32(env, argv[i + 1], &values[i]) != 0) return (void *)fail(env, "a number is wanted");
  if (rest != NULL)
    for (size_t i = ints + 1; i < argc; i++) rest[i - ints - 1] = argv[i];
  return reader;
}

/* open(path, datagrams, datagramBytes): reader */
static napi_value js_open(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  size_t argc = 3;
  char path[4096];
  int32_t datagrams = 0, datagram_bytes = 0;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != 0 || argc < 3 ||
      napi_get_value_string_utf8(env, argv[0], path, sizeof path, NULL) != 0 ||
      napi_get_value_int32(env, argv[1], &datagrams) != 0 || napi_get_value_int32(env, argv[2], &datagram_bytes) != 0 ||
      datagrams < 1 || datagrams > 65536 || datagram_bytes < 1 || datagram_bytes > 65536)
    return fail(env, "a path and two numbers are wanted");
  struct reader *reader = calloc(1, sizeof *reader);
  if (reader == NULL) return fail(env, "no memory");
  reader->datagrams = (uint32_t)datagrams;
  reader->datagram_bytes = (uint32_t)datagram_bytes;
  reader->epoll = epoll_create1(EPOLL_CLOEXEC);
  reader->stamping = start_stamping();
  bool before = map_memory(reader, path);
  napi_value result = NULL;
  if (reader->memory == NULL || reader->epoll < 0 || reader->stamping < 0 ||
      napi_create_external(env, reader, release, NULL, &result) != 0) {
    release(env, reader, NULL);
    return fail(env, "no memory, or no file descriptor is left");
  }
  if (before)
    recover(reader);
  else
    reader->head->count = 0;
  reader->head->layout = LAYOUT;
  reader->head->datagrams = datagrams;
  reader->head->datagram_bytes = datagram_bytes;
  reader->head->want = 0;
  for (uint32_t at = 0; at < reader->datagrams; at++) {
    reader->vectors[at].iov_base = reader->bytes + (size_t)at * reader->datagram_bytes;
    reader->vectors[at].iov_len = reader->datagram_bytes;
    prepare(reader, at);
  }
  return result;
}

/* memory(reader): ArrayBuffer of head, records, arrivals and bytes */
static napi_value js_memory(napi_env env, napi_callback_info info) {
  struct reader *reader = arguments(env, info, 0, NULL, NULL);
  napi_value result = NULL;
  if (reader == NULL) return NULL;
  size_t length = (size_t)((uint8_t *)reader->messages - (uint8_t *)reader->memory);
  if (napi_create_external_arraybuffer(env, reader->memory, length, NULL, NULL, &result) != 0)
    return fail(env, "this Node takes no memory from outside");
  return result;
}

/* add(reader, which, fd, receiveBuffer): 0 or an errno */
static napi_value js_add(napi_env env, napi_callback_info info) {
  int32_t values[3];
  struct reader *reader = arguments(env, info, 3, values, NULL);
  if (reader == NULL) return NULL;
  if (values[0] < 0 || values[1] < 0) return number(env, EBADF);
  return number(env, add_socket(reader, (uint32_t)values[0], values[1], values[2]));
}

/* remove(reader, which): 0 or an errno. The socket stays open. */
static napi_value js_remove(napi_env env, napi_callback_info info) {
  int32_t which;
  struct reader *reader = arguments(env, info, 1, &which, NULL);
  return reader == NULL ? NULL : number(env, remove_socket(reader, (uint32_t)which));
}

/* read(reader): how many datagrams; as many as there is room for when more may wait */
static napi_value js_read(napi_env env, napi_callback_info info) {
  struct reader *reader = arguments(env, info, 0, NULL, NULL);
  return reader == NULL ? NULL : number(env, (int32_t)read_all(reader));
}

/* readOne(reader, which): the same of one socket */
static napi_value js_read_one(napi_env env, napi_callback_info info) {
  int32_t which;
  struct reader *reader = arguments(env, info, 1, &which, NULL);
  return reader == NULL ? NULL : number(env, (int32_t)read_one(reader, (uint32_t)which));
}

/* send(reader, which, port, bytes, address): 0 or an errno */
static napi_value js_send(napi_env env, napi_callback_info info) {
  int32_t values[2];
  napi_value rest[6] = {NULL};
  struct reader *reader = arguments(env, info, 2, values, rest);
  if (reader == NULL) return NULL;
  void *bytes = NULL;
  size_t length = 0;
  char host[INET6_ADDRSTRLEN];
  if (rest[1] == NULL || napi_get_typedarray_info(env, rest[0], NULL, &length, &bytes, NULL, NULL) != 0 ||
      napi_get_value_string_utf8(env, rest[1], host, sizeof host, NULL) != 0)
    return fail(env, "bytes and an address are wanted");
  return number(env, send_from(reader, (uint32_t)values[0], bytes, length, host, (uint16_t)values[1]));
}

/* drops(reader, which): packets that the kernel dropped for want of room in the socket's buffer, modulo 2^31; -1 unknown */
static napi_value js_drops(napi_env env, napi_callback_info info) {
  int32_t which;
  struct reader *reader = arguments(env, info, 1, &which, NULL);
  if (reader == NULL) return NULL;
  uint32_t words[MEMINFO_WORDS] = {0};
  socklen_t length = sizeof words;
  if ((uint32_t)which >= reader->socket_count || reader->sockets[which].fd < 0 ||
      getsockopt(reader->sockets[which].fd, SOL_SOCKET, SO_MEMINFO, words, &length) != 0 || length < sizeof words)
    return number(env, -1);
  return number(env, (int32_t)(words[MEMINFO_DROPS] & 0x7fffffff));
}

static void define(napi_env env, napi_value exports, const char *name, napi_callback callback) {
  napi_value function = NULL;
  if (napi_create_function(env, name, (size_t)-1, callback, NULL, &function) == 0)
    napi_set_named_property(env, exports, name, function);
}

EXPORT int32_t node_api_module_get_api_version_v1(void) { return 8; }

EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  define(env, exports, "open", js_open);
  define(env, exports, "memory", js_memory);
  define(env, exports, "add", js_add);
  define(env, exports, "remove", js_remove);
  define(env, exports, "read", js_read);
  define(env, exports, "readOne", js_read_one);
  define(env, exports, "send", js_send);
  define(env, exports, "drops", js_drops);
  return exports;
}
