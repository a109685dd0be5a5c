/*
 * Reads many UDP sockets in one call: what lies in the kernel's buffers of a worker's lent sockets goes, by recvmmsg, straight
 * into one buffer that JavaScript gave at the beginning. Nothing is allocated here after `add`, no thread is started, and nothing
 * ever waits: the caller's timer says when to read.
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
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
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
#define RECORD 8
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
  union address source; /* of the last datagram */
};

union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(struct timespec))];
};

struct reader {
  int epoll;
  int stamping; /* a socket of ours for which the kernel stamps all packets; see start_stamping */
  uint32_t datagrams; /* as many as a call may read */
  uint32_t datagram_bytes;
  uint8_t *bytes;
  int32_t *records;
  double *arrivals;
  napi_ref references[3];
  struct mmsghdr *messages;
  struct iovec *vectors;
  union address *sources;
  union control *controls;
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

/* The record of the datagram at a place: socket, length, source family (4, 6; 0: the same as before), port, address. */
static void record(struct reader *reader, uint32_t at, uint32_t which, double offset_us) {
  struct msghdr *header = &reader->messages[at].msg_hdr;
  struct lent *socket = &reader->sockets[which];
  const union address *source = &reader->sources[at];
  int32_t *out = &reader->records[at * RECORD];
  out[0] = (int32_t)which;
  out[1] = (header->msg_flags & MSG_TRUNC) != 0 ? -1 : (int32_t)reader->messages[at].msg_len;
  out[2] = 0;
  reader->arrivals[at] = arrival_of(header, offset_us);
  if (!same_source(source, &socket->source)) {
    socket->source = *source;
    if (source->family == AF_INET) {
      out[2] = 4;
      out[3] = ntohs(source->v4.sin_port);
      memcpy(&out[4], &source->v4.sin_addr, 4);
    } else {
      out[2] = 6;
      out[3] = ntohs(source->v6.sin6_port);
      memcpy(&out[4], &source->v6.sin6_addr, 16);
    }
  }
  prepare(reader, at);
}

/* Reads a socket until it is empty or the buffer is full. Returns whether it is empty. */
static bool drain(struct reader *reader, uint32_t which, uint32_t *used, double offset_us) {
  int errors = 0;
  for (;;) {
    const struct lent *socket = &reader->sockets[which];
    if (socket->fd < 0) return true;
    uint32_t want = reader->datagrams - *used;
    if (want == 0) return false;
    if (want > AT_ONCE) want = AT_ONCE;
    int got = recvmmsg(socket->fd, &reader->messages[*used], want, MSG_DONTWAIT, NULL);
    if (got < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EBADF || ++errors > MAX_ERRORS) return true;
      continue;
    }
    for (int i = 0; i < got; i++) record(reader, (*used)++, which, offset_us);
    if ((uint32_t)got < want) return true;
  }
}

static uint32_t read_all(struct reader *reader) {
  uint32_t used = 0;
  double offset_us = monotonic_offset_us();
  for (;;) {
    for (; reader->event_at < reader->event_count; reader->event_at++) {
      uint32_t which = reader->events[reader->event_at].data.u32;
      if (which < reader->socket_count && !drain(reader, which, &used, offset_us)) return used;
    }
    reader->event_at = 0;
    reader->event_count = epoll_wait(reader->epoll, reader->events, EVENTS, 0);
    if (reader->event_count <= 0) {
      reader->event_count = 0;
      return used;
    }
  }
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

static void release(napi_env env, void *data, void *hint) {
  (void)hint;
  struct reader *reader = data;
  for (int i = 0; i < 3; i++)
    if (reader->references[i] != NULL) napi_delete_reference(env, reader->references[i]);
  if (reader->epoll >= 0) close(reader->epoll);
  if (reader->stamping >= 0) close(reader->stamping);
  free(reader->messages);
  free(reader->vectors);
  free(reader->sources);
  free(reader->controls);
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

/* open(bytes: Uint8Array, records: Int32Array, arrivals: Float64Array, datagrams): reader */
static napi_value js_open(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  size_t argc = 4;
  int32_t datagrams = 0;
  void *data[3];
  size_t lengths[3];
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != 0 || argc < 4 ||
      napi_get_value_int32(env, argv[3], &datagrams) != 0 || datagrams < 1)
    return fail(env, "three arrays and a number are wanted");
  for (int i = 0; i < 3; i++)
    if (napi_get_typedarray_info(env, argv[i], NULL, &lengths[i], &data[i], NULL, NULL) != 0)
      return fail(env, "a typed array is wanted");
  uint32_t count = (uint32_t)datagrams;
  if (lengths[0] < count || lengths[1] < (size_t)count * RECORD || lengths[2] < count)
    return fail(env, "the arrays are too short");
  struct reader *reader = calloc(1, sizeof *reader);
  if (reader == NULL) return fail(env, "no memory");
  reader->datagrams = count;
  reader->datagram_bytes = (uint32_t)(lengths[0] / count);
  reader->bytes = data[0];
  reader->records = data[1];
  reader->arrivals = data[2];
  reader->messages = calloc(count, sizeof *reader->messages);
  reader->vectors = calloc(count, sizeof *reader->vectors);
  reader->sources = calloc(count, sizeof *reader->sources);
  reader->controls = calloc(count, sizeof *reader->controls);
  reader->epoll = epoll_create1(EPOLL_CLOEXEC);
  reader->stamping = start_stamping();
  napi_value result = NULL;
  if (reader->messages == NULL || reader->vectors == NULL || reader->sources == NULL ||
      reader->controls == NULL || reader->epoll < 0 || reader->stamping < 0 ||
      napi_create_external(env, reader, release, NULL, &result) != 0) {
    release(env, reader, NULL);
    return fail(env, "no memory, or no file descriptor is left");
  }
  for (int i = 0; i < 3; i++) napi_create_reference(env, argv[i], 1, &reader->references[i]);
  for (uint32_t at = 0; at < count; at++) {
    reader->vectors[at].iov_base = reader->bytes + (size_t)at * reader->datagram_bytes;
    reader->vectors[at].iov_len = reader->datagram_bytes;
    prepare(reader, at);
  }
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
  define(env, exports, "add", js_add);
  define(env, exports, "remove", js_remove);
  define(env, exports, "read", js_read);
  define(env, exports, "send", js_send);
  define(env, exports, "drops", js_drops);
  return exports;
}
