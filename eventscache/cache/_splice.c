/* Writes packed events as JSON, one after another into one text, without making objects of them.
 *
 * It takes less than `Event.unpack` allows: an array of exactly the fields below, no malformed body, and texts of plain
 * ASCII. Any other entry is given to the caller, who writes it or leaves it out. So what is written here must be, byte
 * for byte, what `Event.to_json` gives.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    SEQUENCE = 0, /* of the fields of an entry */
    EVENT = 3,
    ENTRY_FIELDS = 4,
    TEN_FIELDS = 0x9A, /* the first byte of an array */
    MASKED_TRUE = 0xC3,
    MASKED_FALSE = 0xC2,
    TEXTS = 6,         /* from `error` on */
    MOST_DIGITS = 20,
    LARGEST_FRAME = 256, /* bytes: all names below, their quotes and the number */
};

typedef struct {
    const uint8_t *start;
    Py_ssize_t length;
} Span;

typedef struct {
    Span original, success, texts[TEXTS];
    bool masked;
} Event;

/* The fields that follow `success`, in the order of the array and of the JSON form. The ids are given even if empty. */
static const char *const NAMES[TEXTS] = {
    "\"error\":\"", "\"skip\":\"", "\"timestamp\":\"", "\"uid\":\"", "\"destination_id\":\"", "\"token_id\":\"",
};
enum { FIRST_ID = 4 };

enum { NOT_PLAIN = 0, PLAIN = 1 }; /* anything else is what follows a backslash */
static uint8_t escapes[256];

static void prepare_table(void)
{
    for (int byte = 0x20; byte < 0x7F; byte++) {
        escapes[byte] = PLAIN;
    }
    escapes['"'] = '"';
    escapes['\\'] = '\\';
    escapes['\n'] = 'n';
    escapes['\r'] = 'r';
    escapes['\t'] = 't';
}

static bool is_writable(Span text)
{
    uint8_t all_known = 1;
    for (Py_ssize_t i = 0; i < text.length; i++) {
        all_known &= escapes[text.start[i]] != NOT_PLAIN;
    }
    return all_known;
}

/* Reads as many bytes of length as `size` says, then the value. */
static const uint8_t *read_span(const uint8_t *at, const uint8_t *end, int size, Span *span)
{
    if (end - at < size) {
        return NULL;
    }
    uint64_t length = 0;
    for (int i = 0; i < size; i++) {
        length = length << 8 | *at++;
    }
    if (length > (uint64_t)(end - at)) {
        return NULL;
    }
    *span = (Span){at, (Py_ssize_t)length};
    return at + length;
}

static const uint8_t *read_text(const uint8_t *at, const uint8_t *end, Span *span)
{
    if (at == NULL || at == end) {
        return NULL;
    }
    uint8_t first = *at++;
    if (first >= 0xA0 && first <= 0xBF) {
        *span = (Span){at, first & 0x1F};
        return span->length > end - at ? NULL : at + span->length;
    }
    return first >= 0xD9 && first <= 0xDB ? read_span(at, end, 1 << (first - 0xD9), span) : NULL;
}

static const uint8_t *read_bytes(const uint8_t *at, const uint8_t *end, Span *span)
{
    if (at == NULL || at == end) {
        return NULL;
    }
    uint8_t first = *at++;
    return first >= 0xC4 && first <= 0xC6 ? read_span(at, end, 1 << (first - 0xC4), span) : NULL;
}

/* Reads a packed event; returns false if it is not one of the usual form. */
static bool read_event(PyObject *packed, Event *event)
{
    const uint8_t *at = (const uint8_t *)PyBytes_AS_STRING(packed), *end = at + PyBytes_GET_SIZE(packed);
    Span malformed;
    if (at == end || *at++ != TEN_FIELDS) {
        return false;
    }
    at = read_text(at, end, &malformed);
    if (at == NULL || malformed.length) {
        return false;
    }
    at = read_bytes(at, end, &event->original);
    at = read_bytes(at, end, &event->success);
    for (int i = 0; i < TEXTS; i++) {
        at = read_text(at, end, &event->texts[i]);
        if (at == NULL || !is_writable(event->texts[i])) {
            return false;
        }
    }
    if (end - at != 1 || (*at != MASKED_TRUE && *at != MASKED_FALSE)) {
        return false;
    }
    event->masked = *at == MASKED_TRUE;
    return true;
}

/* The text that is written; it grows when there is no room. */
typedef struct {
    PyObject *bytes;
    Py_ssize_t length;
} Text;

/* Makes room for more bytes; returns false with an exception if there is no memory. */
static bool make_room(Text *text, Py_ssize_t more)
{
    Py_ssize_t size = PyBytes_GET_SIZE(text->bytes);
    if (more <= size - text->length) {
        return true;
    }
    if (more > PY_SSIZE_T_MAX - text->length - size / 2) {
        PyErr_NoMemory();
        return false;
    }
    return _PyBytes_Resize(&text->bytes, text->length + more + size / 2) == 0;
}

static uint8_t *end_of(Text *text)
{
    return (uint8_t *)PyBytes_AS_STRING(text->bytes) + text->length;
}

static uint8_t *put(uint8_t *to, const void *from, Py_ssize_t length)
{
    memcpy(to, from, length);
    return to + length;
}

static uint8_t *put_name(uint8_t *to, const char *name)
{
    return put(to, name, (Py_ssize_t)strlen(name));
}

static uint8_t *put_escaped(uint8_t *to, Span text)
{
    for (Py_ssize_t i = 0; i < text.length; i++) {
        uint8_t escape = escapes[text.start[i]];
        if (escape == PLAIN) {
            *to++ = text.start[i];
        } else {
            *to++ = '\\';
            *to++ = escape;
        }
    }
    return to;
}

/* Writes JSON as it came, or with spaces for the line breaks between its tokens: inside them it can have none. */
static uint8_t *put_json(uint8_t *to, Span json, bool one_line)
{
    uint8_t *end = put(to, json.start, json.length);
    if (one_line) {
        for (; to < end; to++) {
            if (*to == '\n' || *to == '\r') {
                *to = ' ';
            }
        }
    }
    return end;
}

static uint8_t *put_number(uint8_t *to, unsigned long long number)
{
    uint8_t digits[MOST_DIGITS];
    int count = 0;
    do {
        digits[MOST_DIGITS - ++count] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number);
    return put(to, digits + MOST_DIGITS - count, count);
}

/* Writes an event; returns false with an exception if there is no memory. */
static bool write_event(Text *text, const Event *event, unsigned long long sequence, bool one_line)
{
    Py_ssize_t most = LARGEST_FRAME + event->original.length + event->success.length;
    for (int i = 0; i < TEXTS; i++) {
        most += 2 * event->texts[i].length;
    }
    if (!make_room(text, most)) {
        return false;
    }
    uint8_t *start = end_of(text), *to = start;
    *to++ = '{';
    if (event->original.length) {
        to = put_json(put_name(to, "\"original\":"), event->original, one_line);
        *to++ = ',';
    }
    if (event->success.length) {
        to = put_json(put_name(to, "\"success\":"), event->success, one_line);
        *to++ = ',';
    }
    for (int i = 0; i < TEXTS; i++) {
        if (event->texts[i].length || i >= FIRST_ID) {
            to = put_name(put_escaped(put_name(to, NAMES[i]), event->texts[i]), "\",");
        }
    }
    if (event->masked) {
        to = put_name(to, "\"masked\":true,");
    }
    to = put_number(put_name(to, "\"seq\":"), sequence);
    *to++ = '}';
    text->length += to - start;
    return true;
}

static bool write_bytes(Text *text, PyObject *bytes)
{
    Py_ssize_t length = PyBytes_GET_SIZE(bytes);
    if (!make_room(text, length)) {
        return false;
    }
    memcpy(end_of(text), PyBytes_AS_STRING(bytes), length);
    text->length += length;
    return true;
}

/* Writes an entry, or what the caller makes of it; returns whether it did, or -1 with an exception. */
static int write_entry(Text *text, PyObject *entry, const char *before, bool one_line, PyObject *other)
{
    Py_ssize_t start = text->length;
    if (!make_room(text, 1)) {
        return -1;
    }
    if (*before) {
        *end_of(text) = (uint8_t)*before;
        text->length++;
    }
    unsigned long long sequence = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(entry, SEQUENCE));
    Event event;
    if (sequence == (unsigned long long)-1 && PyErr_Occurred()) {
        PyErr_Clear();
    } else if (read_event(PyTuple_GET_ITEM(entry, EVENT), &event)) {
        return write_event(text, &event, sequence, one_line) ? 1 : -1;
    }
    PyObject *written = PyObject_CallOneArg(other, entry);
    if (written == NULL) {
        return -1;
    }
    int result = 0;
    if (PyBytes_Check(written)) {
        result = write_bytes(text, written) ? 1 : -1;
    } else if (written == Py_None) {
        text->length = start;
    } else {
        PyErr_SetString(PyExc_TypeError, "an event is written as bytes");
        result = -1;
    }
    Py_DECREF(written);
    return result;
}

static bool is_entry(PyObject *entry)
{
    return PyTuple_Check(entry) && PyTuple_GET_SIZE(entry) == ENTRY_FIELDS &&
           PyBytes_Check(PyTuple_GET_ITEM(entry, EVENT));
}

static PyObject *splice(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *entries, *other;
    Py_ssize_t start, most_bytes, each_bytes;
    int one_line;
    if (!PyArg_ParseTuple(arguments, "O!nnnpO", &PyList_Type, &entries, &start, &most_bytes, &each_bytes, &one_line,
                          &other)) {
        return NULL;
    }
    if (start < 0 || most_bytes < 0 || each_bytes < 0) {
        PyErr_SetString(PyExc_ValueError, "places and sizes are not negative");
        return NULL;
    }
    Py_ssize_t end = start, bytes = 0;
    for (Py_ssize_t spent = 0; end < PyList_GET_SIZE(entries) && spent < most_bytes; end++) {
        PyObject *entry = PyList_GET_ITEM(entries, end);
        if (!is_entry(entry)) {
            PyErr_SetString(PyExc_TypeError, "an entry is a tuple of four, with a packed event at its end");
            return NULL;
        }
        Py_ssize_t length = PyBytes_GET_SIZE(PyTuple_GET_ITEM(entry, EVENT));
        spent += each_bytes + length;
        bytes += LARGEST_FRAME + length;
    }
    PyObject *taken = PyList_GetSlice(entries, start, end); /* which nobody else can change meanwhile */
    Text text = {PyBytes_FromStringAndSize(NULL, bytes), 0};
    Py_ssize_t count = 0;
    bool failed = taken == NULL || text.bytes == NULL;
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(taken); i++) {
        const char *before = count == 0 ? "" : one_line ? "\n" : ",";
        int written = write_entry(&text, PyList_GET_ITEM(taken, i), before, one_line, other);
        failed = written < 0;
        count += written;
    }
    Py_XDECREF(taken);
    if (failed || _PyBytes_Resize(&text.bytes, text.length) < 0) {
        Py_XDECREF(text.bytes);
        return NULL;
    }
    return Py_BuildValue("(Nnn)", text.bytes, end, count);
}

static PyMethodDef methods[] = {
    {"splice", splice, METH_VARARGS,
     PyDoc_STR("splice(entries, start, most_bytes, each_bytes, one_line, other)\n--\n\n"
               "Return some entries from an index on as JSON, the index behind them, and how many were written.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_splice",
    .m_doc = PyDoc_STR("Writes packed events as JSON."),
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__splice(void)
{
    prepare_table();
    return PyModule_Create(&definition);
}
