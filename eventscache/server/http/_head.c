/* A fast reader of plain HTTP/1.1 requests that are complete.
 *
 * It takes less than HTTP allows: one POST, with a head of few bytes that are all printable ASCII, no header twice, no
 * header that changes how the message is framed or answered, and exactly the body that Content-Length tells. What is
 * unusual or wrong is "not taken", and the caller leaves it to aiohttp, which decides. So this may refuse valid requests,
 * and must never take one that aiohttp refuses or reads in another way.
 *
 * It keeps no state but the names of the headers that it returns, which are made once.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    LONGEST_HEAD = 8192, /* bytes; aiohttp is told to take more in each line */
    MOST_HEADERS = 64,
    LONGEST_LENGTH = 9,  /* digits */
};

typedef enum { OTHER, RETURNED, HOST, LENGTH, CONNECTION, UNUSUAL } Kind;

typedef struct {
    const char *name; /* as it is returned */
    Kind kind;
} Header;

/* Every header that matters here; those that are not returned are in lower case. */
static const Header HEADERS[] = {
    {"Origin", RETURNED},
    {"Authorization", RETURNED},
    {"X-Auth-Token", RETURNED},
    {"api_key", RETURNED},
    {"X-Write-Key", RETURNED},
    {"X-Eventscache-Scope", RETURNED},
    {"host", HOST},
    {"content-length", LENGTH},
    {"connection", CONNECTION},
    {"proxy-connection", UNUSUAL},
    {"transfer-encoding", UNUSUAL},
    {"content-encoding", UNUSUAL},
    {"upgrade", UNUSUAL},
    {"expect", UNUSUAL},
    {"sec-websocket-key1", UNUSUAL},
};
enum { HEADERS_COUNT = sizeof HEADERS / sizeof HEADERS[0] };

static PyObject *names[HEADERS_COUNT]; /* of those that are returned */

static PyStructSequence_Field fields[] = {
    {"raw_path", "the target, as it was sent"},
    {"path", "what is before its question mark"},
    {"query", "what is behind that"},
    {"headers", "those that matter for events, by their usual names"},
    {"body", "its bytes"},
    {NULL, NULL},
};
static PyStructSequence_Desc description = {
    .name = "eventscache.server.http._head.WholeRequest",
    .doc = PyDoc_STR("A plain POST in HTTP/1.1 that came whole."),
    .fields = fields,
    .n_in_sequence = 5,
};
static PyTypeObject *request_type;

/* What a byte may be part of. */
enum { NAME = 1, TARGET = 2, VALUE = 4 };
static unsigned char allowed[256];

typedef struct {
    const char *at;
    Py_ssize_t length;
} Text;

typedef struct {
    Text seen[MOST_HEADERS];
    int count;
    uint64_t hashes; /* a bit for the hash of each name so far: two equal names share one */
} Names;

static void allow(const char *bytes, unsigned char part)
{
    for (; *bytes; bytes++) {
        allowed[(unsigned char)*bytes] |= part;
    }
}

static void prepare_table(void)
{
    for (int c = ' '; c <= '~'; c++) {
        allowed[c] |= VALUE;
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) {
            allowed[c] |= NAME | TARGET;
        }
    }
    allow("-_", NAME);
    allow("/?&=._~%+,:;@!$'()*-", TARGET);
}

static inline const char *skip(const char *at, const char *end, unsigned char part)
{
    while (at < end && (allowed[(unsigned char)*at] & part)) {
        at++;
    }
    return at;
}

/* Bytes of names without their case; they hold no others that this makes equal. */
static inline char folded(char c)
{
    return c | 0x20;
}

static inline bool same_name(Text one, Text other)
{
    if (one.length != other.length) {
        return false;
    }
    for (Py_ssize_t i = 0; i < one.length; i++) {
        if (folded(one.at[i]) != folded(other.at[i])) {
            return false;
        }
    }
    return true;
}

/* Add a name, and return whether it is a new one. */
static bool add_name(Names *names_, Text name)
{
    if (names_->count == MOST_HEADERS) {
        return false;
    }
    uint32_t hash = (uint32_t)name.length * 7u + (uint32_t)folded(name.at[0]) * 5u
                    + (uint32_t)folded(name.at[name.length - 1]) + (uint32_t)folded(name.at[name.length / 2]) * 3u;
    uint64_t bit = (uint64_t)1 << (hash & 63u);
    if (names_->hashes & bit) {
        for (int i = 0; i < names_->count; i++) {
            if (same_name(names_->seen[i], name)) {
                return false;
            }
        }
    }
    names_->hashes |= bit;
    names_->seen[names_->count++] = name;
    return true;
}

/* Return which of the headers a name is, or -1. */
static int find_header(Text name)
{
    for (int i = 0; i < HEADERS_COUNT; i++) {
        const char *known = HEADERS[i].name;
        if (folded(known[0]) == folded(name.at[0]) && same_name((Text){known, (Py_ssize_t)strlen(known)}, name)) {
            return i;
        }
    }
    return -1;
}

/* Return the number that a text of digits is, or -1. */
static Py_ssize_t read_length(Text text)
{
    if (text.length < 1 || text.length > LONGEST_LENGTH || text.at[0] == '0') {
        return -1;
    }
    Py_ssize_t number = 0;
    for (Py_ssize_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return -1;
        }
        number = 10 * number + (text.at[i] - '0');
    }
    return number;
}

static const char FIRST[] = "POST /";
static const char VERSION[] = " HTTP/1.1\r\n";
static const char KEEP_ALIVE[] = "keep-alive";

/* Read the headers up to the empty line. Return where the body begins, or NULL if something is unusual or wrong; with an
 * exception if no memory is left. */
static const char *read_headers(const char *at, const char *end, PyObject *headers, Py_ssize_t *length)
{
    Names names_ = {.count = 0, .hashes = 0};
    bool has_host = false;
    *length = -1;
    while (end - at >= 2 && at[0] != '\r') {
        Text name = {at, 0};
        at = skip(at, end, NAME);
        name.length = at - name.at;
        if (name.length == 0 || at == end || *at != ':' || !add_name(&names_, name)) {
            return NULL;
        }
        at++;
        while (at < end && *at == ' ') {
            at++;
        }
        Text value = {at, 0};
        at = skip(at, end, VALUE);
        value.length = at - value.at;
        if (end - at < 2 || at[0] != '\r' || at[1] != '\n') {
            return NULL;
        }
        at += 2;
        while (value.length > 0 && value.at[value.length - 1] == ' ') {
            value.length--;
        }
        int header = find_header(name);
        if (header < 0) {
            continue;
        }
        switch (HEADERS[header].kind) {
        case RETURNED: {
            PyObject *text = PyUnicode_DecodeASCII(value.at, value.length, NULL);
            if (text == NULL || PyDict_SetItem(headers, names[header], text) < 0) {
                Py_XDECREF(text);
                return NULL;
            }
            Py_DECREF(text);
            break;
        }
        case HOST:
            has_host = value.length > 0;
            break;
        case LENGTH:
            *length = read_length(value);
            break;
        case CONNECTION:
            if (!same_name(value, (Text){KEEP_ALIVE, sizeof KEEP_ALIVE - 1})) {
                return NULL;
            }
            break;
        default:
            return NULL;
        }
    }
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n' || !has_host || *length < 0) {
        return NULL;
    }
    return at + 2;
}

/* Takes the reference to the headers. */
static PyObject *new_request(Text target, PyObject *headers, const char *body, Py_ssize_t length)
{
    PyObject *request = PyStructSequence_New(request_type);
    if (request == NULL) {
        Py_DECREF(headers);
        return NULL;
    }
    const char *mark = memchr(target.at, '?', (size_t)target.length);
    const char *end = target.at + target.length, *path_end = mark ? mark : end, *query = mark ? mark + 1 : end;
    PyObject *values[] = {
        PyUnicode_DecodeASCII(target.at, target.length, NULL),
        PyUnicode_DecodeASCII(target.at, path_end - target.at, NULL),
        PyUnicode_DecodeASCII(query, end - query, NULL),
        headers,
        PyBytes_FromStringAndSize(body, length),
    };
    bool complete = true;
    for (int i = 0; i < 5; i++) {
        complete = complete && values[i] != NULL;
        PyStructSequence_SET_ITEM(request, i, values[i]);
    }
    if (!complete) {
        Py_DECREF(request);
        return NULL;
    }
    return request;
}

static PyObject *read_request(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (count != 2 || !PyBytes_Check(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "read_request(data: bytes, most_bytes: int)");
        return NULL;
    }
    Py_ssize_t most_bytes = PyLong_AsSsize_t(arguments[1]);
    if (most_bytes == -1 && PyErr_Occurred()) {
        return NULL;
    }
    const char *start = PyBytes_AS_STRING(arguments[0]);
    const char *end = start + PyBytes_GET_SIZE(arguments[0]);
    const char *head_end = end - start > LONGEST_HEAD ? start + LONGEST_HEAD : end;
    if (head_end - start < (Py_ssize_t)sizeof FIRST || memcmp(start, FIRST, sizeof FIRST - 1) != 0) {
        Py_RETURN_NONE;
    }
    Text target = {start + sizeof FIRST - 2, 0};
    const char *at = skip(target.at, head_end, TARGET);
    target.length = at - target.at;
    if (head_end - at < (Py_ssize_t)sizeof VERSION || memcmp(at, VERSION, sizeof VERSION - 1) != 0
        || target.at[1] == '/') { /* two slashes could begin an authority */
        Py_RETURN_NONE;
    }
    PyObject *headers = PyDict_New();
    if (headers == NULL) {
        return NULL;
    }
    Py_ssize_t length;
    const char *body = read_headers(at + sizeof VERSION - 1, head_end, headers, &length);
    if (body == NULL || length > most_bytes || end - body != length) {
        Py_DECREF(headers);
        if (PyErr_Occurred()) {
            return NULL;
        }
        Py_RETURN_NONE;
    }
    return new_request(target, headers, body, length);
}

static PyMethodDef methods[] = {
    {"read_request", (PyCFunction)(void (*)(void))read_request, METH_FASTCALL,
     PyDoc_STR("read_request(data, most_bytes)\n--\n\n"
               "Return the plain POST that the data is, as a WholeRequest; None if it is anything else, or if its body\n"
               "has more bytes than that.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_head",
    .m_doc = PyDoc_STR("A fast reader of plain HTTP requests."),
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__head(void)
{
    prepare_table();
    for (int i = 0; i < HEADERS_COUNT; i++) {
        if (HEADERS[i].kind == RETURNED && names[i] == NULL) {
            names[i] = PyUnicode_InternFromString(HEADERS[i].name);
            if (names[i] == NULL) {
                return NULL;
            }
        }
    }
    if (request_type == NULL && (request_type = PyStructSequence_NewType(&description)) == NULL) {
        return NULL;
    }
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddObjectRef(module, "WholeRequest", (PyObject *)request_type) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
