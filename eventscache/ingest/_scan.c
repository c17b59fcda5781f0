/* A look at JSON that vouches for it: valid syntax, valid UTF-8, no lone surrogates, numbers that every reader holds.
 *
 * It never explains and never guesses: of anything that is unusual or wrong it says "not vouched for", and the caller
 * lets a reader decide that can say what is wrong. So it may refuse too much, and must never accept too much.
 *
 * It keeps no state and makes no objects but what it returns; a string is skipped eight bytes at a time.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    DEEPEST = 1024,           /* levels, whatever the caller allows: they are remembered on the stack */
    MOST_DIGITS = 200,        /* of one number; with an exponent of two digits it is far below the largest double */
    MOST_EXPONENT_DIGITS = 2,
    FIRST_SPANS = 64,
};

typedef struct {
    const unsigned char *at;
    const unsigned char *end;
} Cursor;

typedef struct {
    const char *bytes;
    Py_ssize_t length;
} Text;

static inline void skip_space(Cursor *cursor)
{
    while (cursor->at < cursor->end
           && (*cursor->at == ' ' || *cursor->at == '\n' || *cursor->at == '\r' || *cursor->at == '\t')) {
        cursor->at++;
    }
}

static inline bool is_digit(const Cursor *cursor)
{
    return cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9';
}

static inline Py_ssize_t skip_digits(Cursor *cursor)
{
    const unsigned char *start = cursor->at;
    while (is_digit(cursor)) {
        cursor->at++;
    }
    return cursor->at - start;
}

/* Four hexadecimal digits, or -1. */
static int hex4(const Cursor *cursor, const unsigned char *at)
{
    int value = 0;
    if (cursor->end - at < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        unsigned char c = at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
        if (digit < 0) {
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

/* The cursor stands on a backslash. A surrogate has to be the first of a pair that is whole. */
static bool skip_escape(Cursor *cursor)
{
    if (cursor->end - cursor->at < 2) {
        return false;
    }
    unsigned char kind = cursor->at[1];
    if (kind != 'u') {
        cursor->at += 2;
        return kind != 0 && strchr("\"\\/bfnrt", kind) != NULL;
    }
    int unit = hex4(cursor, cursor->at + 2);
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) {
        return false;
    }
    cursor->at += 6;
    if (unit < 0xD800 || unit > 0xDBFF) {
        return true;
    }
    if (cursor->end - cursor->at < 6 || cursor->at[0] != '\\' || cursor->at[1] != 'u') {
        return false;
    }
    unit = hex4(cursor, cursor->at + 2);
    cursor->at += 6;
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

static inline bool continues(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* The cursor stands on a byte of 0x80 or more: one character, in its shortest form, and no surrogate (RFC 3629). */
static bool skip_character(Cursor *cursor)
{
    const unsigned char *c = cursor->at;
    Py_ssize_t left = cursor->end - c;
    if (c[0] >= 0xC2 && c[0] <= 0xDF) {
        cursor->at += 2;
        return left >= 2 && continues(c[1]);
    }
    if (c[0] >= 0xE0 && c[0] <= 0xEF) {
        cursor->at += 3;
        return left >= 3 && continues(c[1]) && continues(c[2])
               && !(c[0] == 0xE0 && c[1] < 0xA0) && !(c[0] == 0xED && c[1] > 0x9F);
    }
    if (c[0] >= 0xF0 && c[0] <= 0xF4) {
        cursor->at += 4;
        return left >= 4 && continues(c[1]) && continues(c[2]) && continues(c[3])
               && !(c[0] == 0xF0 && c[1] < 0x90) && !(c[0] == 0xF4 && c[1] > 0x8F);
    }
    return false;
}

/* Bytes that stand for themselves in a string. */
static inline void skip_plain(Cursor *cursor)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = 0x0101010101010101u, quotes = 0x22 * ones, backslashes = 0x5C * ones, spaces = 0x20 * ones;
    while (cursor->end - cursor->at >= 8) {
        uint64_t word;
        memcpy(&word, cursor->at, 8);
        /* The lowest high bit belongs to the first byte that is a quote, a backslash, a control or no ASCII: borrows
         * of these differences only ever come from such a byte, and go upwards. */
        uint64_t other = (((word ^ quotes) - ones) | ((word ^ backslashes) - ones) | (word - spaces) | word)
                         & (0x80 * ones);
        if (other) {
            cursor->at += __builtin_ctzll(other) >> 3;
            return;
        }
        cursor->at += 8;
    }
#endif
    while (cursor->at < cursor->end && *cursor->at >= 0x20 && *cursor->at < 0x80 && *cursor->at != '"'
           && *cursor->at != '\\') {
        cursor->at++;
    }
}

/* The cursor stands behind the opening quote, and then behind the closing one. */
static inline bool skip_string(Cursor *cursor)
{
    for (;;) {
        skip_plain(cursor);
        if (cursor->at >= cursor->end) {
            return false;
        }
        unsigned char c = *cursor->at;
        if (c == '"') {
            cursor->at++;
            return true;
        }
        if (c == '\\' ? !skip_escape(cursor) : c < 0x80 || !skip_character(cursor)) {
            return false;
        }
    }
}

static bool skip_number(Cursor *cursor)
{
    if (*cursor->at == '-') {
        cursor->at++;
    }
    bool leads_with_zero = is_digit(cursor) && *cursor->at == '0';
    Py_ssize_t digits = skip_digits(cursor);
    if (digits == 0 || (leads_with_zero && digits > 1)) {
        return false;
    }
    if (cursor->at < cursor->end && *cursor->at == '.') {
        cursor->at++;
        Py_ssize_t decimals = skip_digits(cursor);
        if (decimals == 0) {
            return false;
        }
        digits += decimals;
    }
    if (digits > MOST_DIGITS) {
        return false;
    }
    if (cursor->at < cursor->end && (*cursor->at | 0x20) == 'e') {
        cursor->at++;
        if (cursor->at < cursor->end && (*cursor->at == '+' || *cursor->at == '-')) {
            cursor->at++;
        }
        digits = skip_digits(cursor);
        return digits > 0 && digits <= MOST_EXPONENT_DIGITS;
    }
    return true;
}

static inline bool skip_word(Cursor *cursor, const char *word, Py_ssize_t length)
{
    if (cursor->end - cursor->at < length || memcmp(cursor->at, word, (size_t)length) != 0) {
        return false;
    }
    cursor->at += length;
    return true;
}

static inline bool skip_scalar(Cursor *cursor)
{
    switch (*cursor->at) {
    case '"':
        cursor->at++;
        return skip_string(cursor);
    case 't':
        return skip_word(cursor, "true", 4);
    case 'f':
        return skip_word(cursor, "false", 5);
    case 'n':
        return skip_word(cursor, "null", 4);
    default:
        return skip_number(cursor);
    }
}

/* Whether what lies between two quotes is a text, or could be: it may be spelled with escapes. */
static bool may_be(const unsigned char *start, const unsigned char *end, const Text *text)
{
    return memchr(start, '\\', (size_t)(end - start)) != NULL
           || (end - start == text->length && memcmp(start, text->bytes, (size_t)text->length) == 0);
}

/* A name, its colon and the space around it; the cursor then stands on the value. No name may be `unwanted`. */
static inline bool skip_name(Cursor *cursor, const Text *unwanted)
{
    if (cursor->at >= cursor->end || *cursor->at != '"') {
        return false;
    }
    const unsigned char *start = ++cursor->at;
    if (!skip_string(cursor) || (unwanted != NULL && may_be(start, cursor->at - 1, unwanted))) {
        return false;
    }
    skip_space(cursor);
    if (cursor->at >= cursor->end || *cursor->at != ':') {
        return false;
    }
    cursor->at++;
    skip_space(cursor);
    return true;
}

/* A value that begins with a bracket, nested at most `deepest` levels: the cursor goes from there to behind its end.
 * If it is an object, it has no member called `unwanted`, unless that is NULL. */
static bool skip_container(Cursor *cursor, int deepest, const Text *unwanted)
{
    unsigned char closing[DEEPEST];
    int depth = 0;

open:
    if (depth == deepest) {
        return false;
    }
    closing[depth++] = *cursor->at == '{' ? '}' : ']';
    cursor->at++;
    skip_space(cursor);
    if (cursor->at < cursor->end && *cursor->at == closing[depth - 1]) {
        goto close;
    }

member:
    if (closing[depth - 1] == '}' && !skip_name(cursor, depth == 1 ? unwanted : NULL)) {
        return false;
    }
    if (cursor->at >= cursor->end) {
        return false;
    }
    if (*cursor->at == '{' || *cursor->at == '[') {
        goto open;
    }
    if (!skip_scalar(cursor)) {
        return false;
    }

after:
    skip_space(cursor);
    if (cursor->at >= cursor->end) {
        return false;
    }
    if (*cursor->at == ',') {
        cursor->at++;
        skip_space(cursor);
        goto member;
    }
    if (*cursor->at != closing[depth - 1]) {
        return false;
    }

close:
    cursor->at++;
    if (--depth) {
        goto after;
    }
    return true;
}

static inline bool is_over(Cursor *cursor)
{
    skip_space(cursor);
    return cursor->at == cursor->end;
}

static bool arguments(PyObject *const *given, Py_ssize_t count, Cursor *cursor, int *deepest)
{
    if (count < 2 || !PyBytes_Check(given[0])) {
        PyErr_SetString(PyExc_TypeError, "expected bytes, and how many levels are allowed");
        return false;
    }
    long levels = PyLong_AsLong(given[1]);
    if (levels == -1 && PyErr_Occurred()) {
        return false;
    }
    *deepest = levels < 0 ? 0 : levels > DEEPEST ? DEEPEST : (int)levels;
    cursor->at = (const unsigned char *)PyBytes_AS_STRING(given[0]);
    cursor->end = cursor->at + PyBytes_GET_SIZE(given[0]);
    return true;
}

static PyObject *object_end(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Cursor cursor;
    int deepest;
    if (!arguments(given, count, &cursor, &deepest)) {
        return NULL;
    }
    Text unwanted = {NULL, 0};
    if (count > 2) {
        if (!PyBytes_Check(given[2])) {
            PyErr_SetString(PyExc_TypeError, "expected the bytes of a name");
            return NULL;
        }
        unwanted = (Text){PyBytes_AS_STRING(given[2]), PyBytes_GET_SIZE(given[2])};
    }
    const unsigned char *start = cursor.at, *end;
    if (cursor.at == cursor.end || *cursor.at != '{'
        || !skip_container(&cursor, deepest, unwanted.bytes != NULL ? &unwanted : NULL)) {
        return PyLong_FromLong(-1);
    }
    end = cursor.at;
    return PyLong_FromSsize_t(is_over(&cursor) ? end - start : -1);
}

static PyObject *object_spans(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Cursor cursor;
    int deepest;
    if (!arguments(given, count, &cursor, &deepest)) {
        return NULL;
    }
    const unsigned char *start = cursor.at;
    Py_ssize_t used = 0, room = 2 * FIRST_SPANS;
    int64_t *spans = PyMem_New(int64_t, room);
    PyObject *found = NULL;
    if (spans == NULL) {
        return PyErr_NoMemory();
    }
    skip_space(&cursor);
    if (cursor.at == cursor.end || *cursor.at != '[') {
        goto not_vouched_for;
    }
    do { /* The cursor stands on the opening bracket, or on a comma. */
        cursor.at++;
        skip_space(&cursor);
        if (used == 0 && cursor.at < cursor.end && *cursor.at == ']') {
            break;
        }
        if (used == room) {
            int64_t *more = spans;
            room *= 2;
            PyMem_Resize(more, int64_t, room);
            if (more == NULL) {
                PyErr_NoMemory();
                goto done;
            }
            spans = more;
        }
        spans[used++] = cursor.at - start;
        if (cursor.at == cursor.end || *cursor.at != '{' || !skip_container(&cursor, deepest, NULL)) {
            goto not_vouched_for;
        }
        spans[used++] = cursor.at - start;
        skip_space(&cursor);
    } while (cursor.at < cursor.end && *cursor.at == ',');
    if (cursor.at == cursor.end || *cursor.at != ']') {
        goto not_vouched_for;
    }
    cursor.at++;
    if (!is_over(&cursor)) {
        goto not_vouched_for;
    }
    found = PyBytes_FromStringAndSize((const char *)spans, used * (Py_ssize_t)sizeof *spans);
    goto done;

not_vouched_for:
    found = Py_NewRef(Py_None);
done:
    PyMem_Free(spans);
    return found;
}

static PyMethodDef methods[] = {
    {"object_end", (PyCFunction)(void (*)(void))object_end, METH_FASTCALL,
     PyDoc_STR("object_end(data, levels, unwanted=None)\n--\n\n"
               "Return where the JSON object ends that the data is, but for white space; -1 if not vouched for.\n"
               "An object with a member of the unwanted name never is.")},
    {"object_spans", (PyCFunction)(void (*)(void))object_spans, METH_FASTCALL,
     PyDoc_STR("object_spans(data, levels)\n--\n\n"
               "Return where each object begins and ends in the JSON array that the data is, as native numbers of\n"
               "64 bits one after the other; None if it, or an element, is not vouched for. Levels are an element's.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_scan",
    .m_doc = PyDoc_STR("A look at JSON that vouches for it, or does not."),
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__scan(void)
{
    return PyModuleDef_Init(&definition);
}
