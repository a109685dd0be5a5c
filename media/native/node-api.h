/*
 * The part of Node-API (version 8) that the reader uses, declared by ourselves: Node-API is a stable binary interface of C
 * functions with opaque handles (nodejs.org/api/n-api.html), so that the reader is built with a C compiler alone, on machines that have
 * a Node without its headers. A test holds these lines against Node's own header where that is installed.
 */
#ifndef EARSHOT_NODE_API_H
#define EARSHOT_NODE_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env env, napi_callback_info info);
typedef void (*napi_finalize)(napi_env env, void *data, void *hint);

/* Enumerations are ints in the interface: 0 is napi_ok; of the typed arrays we only take the bytes. */
typedef int napi_status;
typedef int napi_typedarray_type;

napi_status napi_get_cb_info(napi_env, napi_callback_info, size_t *argc, napi_value *argv, napi_value *self,
                             void **data);
napi_status napi_create_function(napi_env, const char *name, size_t length, napi_callback, void *data,
                                 napi_value *result);
napi_status napi_set_named_property(napi_env, napi_value object, const char *name, napi_value value);
napi_status napi_create_external(napi_env, void *data, napi_finalize, void *hint, napi_value *result);
napi_status napi_get_value_external(napi_env, napi_value, void **result);
napi_status napi_get_value_int32(napi_env, napi_value, int32_t *result);
napi_status napi_get_value_string_utf8(napi_env, napi_value, char *buffer, size_t size, size_t *result);
napi_status napi_get_typedarray_info(napi_env, napi_value, napi_typedarray_type *type, size_t *length,
                                     void **data, napi_value *buffer, size_t *offset);
napi_status napi_create_int32(napi_env, int32_t, napi_value *result);
napi_status napi_create_external_arraybuffer(napi_env, void *data, size_t length, napi_finalize, void *hint,
                                             napi_value *result);
napi_status napi_throw_error(napi_env, const char *code, const char *message);

#endif
