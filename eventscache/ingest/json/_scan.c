/* A fast scan that validates JSON: syntax and UTF-8.
 *
 * It gives no reasons. JSON that is unusual or wrong is "not validated", and the caller leaves it to the strict parser,
 * which can name what is wrong. So the scan may reject valid JSON, and must never accept invalid JSON.
 * Nor does it accept an object in which the value of a write key may have a secret half: that is to be hidden first.
 *
 * It keeps no state and makes only the objects that it returns; a string is skipped eight or sixteen bytes at a time.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__ /* every x86-64 has it */
#include <emmintrin.h>
#endif

enum {
    DEEPEST = 1024,           /* levels, whatever the caller allows: each takes a byte of the stack */
    FIRST_SPANS = 64,
    MOST_NAMES = 16,
    LONGEST_KEY_NAME = 9,
    LONGEST_EVENT_NAME = 128, /* bytes, as in Jitsu 2 */
};

typedef struct {
    const unsigned char *at;
    const unsigned char *end;
    const unsigned char *escaped; /* the digits of the last escape that was skipped and may stand for ASCII, or the start */
} Cursor;

typedef struct {
    const char *bytes;
    Py_ssize_t length;
} Text;

static inline void skip_space(Cursor *cursor)
{
    while (cursor->at < cursor->end && *cursor->at <= ' ' /* mostly not */
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

static inline bool is_hex_digit(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* The cursor is at a backslash. An escape may be half a surrogate pair. */
static bool skip_escape(Cursor *cursor)
{
    if (cursor->end - cursor->at < 2) {
        return false;
    }
    unsigned char kind = cursor->at[1];
    cursor->at += 2;
    if (kind != 'u') {
        return kind != 0 && strchr("\"\\/bfnrt", kind) != NULL;
    }
    if (cursor->end - cursor->at < 4) {
        return false;
    }
    if (cursor->at[0] == '0' && cursor->at[1] == '0') {
        cursor->escaped = cursor->at;
    }
    for (int i = 0; i < 4; i++) {
        if (!is_hex_digit(*cursor->at++)) {
            return false;
        }
    }
    return true;
}

static inline bool continues(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* The cursor is at a byte of 0x80 or more: one character in its shortest form, not a surrogate (RFC 3629). */
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

/* The bytes of a string that need no closer check. */
static inline void skip_plain(Cursor *cursor)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(' ');
    while (cursor->end - cursor->at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)cursor->at);
        /* Bytes are signed here: those that are not ASCII are less than a space, as controls are. */
        __m128i other = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                                     _mm_cmplt_epi8(bytes, space));
        int found = _mm_movemask_epi8(other);
        if (found) {
            cursor->at += __builtin_ctz((unsigned)found);
            return;
        }
        cursor->at += 16;
    }
#elif defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = 0x0101010101010101u, quotes = 0x22 * ones, backslashes = 0x5C * ones, spaces = 0x20 * ones;
    while (cursor->end - cursor->at >= 8) {
        uint64_t word;
        memcpy(&word, cursor->at, 8);
        /* The lowest high bit set belongs to the first byte that is a quote, a backslash, a control or not ASCII: only
         * such a byte makes these subtractions borrow, and they borrow from higher bytes. */
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

/* Goes from behind the opening quote to behind the closing one. */
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
        if (skip_digits(cursor) == 0) {
            return false;
        }
    }
    if (cursor->at < cursor->end && (*cursor->at | 0x20) == 'e') {
        cursor->at++;
        if (cursor->at < cursor->end && (*cursor->at == '+' || *cursor->at == '-')) {
            cursor->at++;
        }
        return skip_digits(cursor) > 0;
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

/* Whether the bytes between two quotes are `text`, or may be: they may be written with escapes. */
static bool may_be(const unsigned char *start, const unsigned char *end, const Text *text)
{
    return memchr(start, '\\', (size_t)(end - start)) != NULL
           || (end - start == text->length && memcmp(start, text->bytes, (size_t)text->length) == 0);
}

/* Whether a name is that of a write key: writekey or apikey, perhaps with a sign in between. */
static bool names_key(const unsigned char *start, const unsigned char *end)
{
    char small[LONGEST_KEY_NAME];
    Py_ssize_t length = end - start, first = length > 0 && (start[0] | 0x20) == 'a' ? 3 : 5; /* the length of api, or of write */
    if (length < first + 3 || length > first + 4 || length > LONGEST_KEY_NAME) {
        return false;
    }
    for (Py_ssize_t i = 0; i < length; i++) {
        small[i] = (char)(start[i] >= 'A' && start[i] <= 'Z' ? start[i] | 0x20 : start[i]);
    }
    return memcmp(small, first == 3 ? "api" : "write", (size_t)first) == 0 && memcmp(small + length - 3, "key", 3) == 0
           && (length == first + 3 || small[first] == '_' || small[first] == '-');
}

/* Whether the string that begins behind the quote at the cursor may be `ID:SECRET`, and no `ID:***`. */
static bool may_have_half(const Cursor *cursor)
{
    const unsigned char *start = cursor->at + 1;
    Cursor string = {start, cursor->end, start};
    if (!skip_string(&string)) {
        return true;
    }
    const unsigned char *end = string.at - 1;
    const unsigned char *colon = memchr(start, ':', (size_t)(end - start));
    return string.escaped != start
           || (colon != NULL && colon + 1 < end && !(end - colon == 4 && memcmp(colon + 1, "***", 3) == 0));
}

/* Whether the value at the cursor may be, or hold, the secret half of a write key. */
static bool is_secret(const Cursor *cursor)
{
    return cursor->at < cursor->end && (*cursor->at == '"' ? may_have_half(cursor) : *cursor->at == '[');
}

/* A name, its colon and the space around it; the cursor is then at the value, of which there is a byte. */
static inline bool read_name(Cursor *cursor, Text *name)
{
    if (cursor->at >= cursor->end || *cursor->at != '"') {
        return false;
    }
    const unsigned char *start = ++cursor->at;
    if (!skip_string(cursor)) {
        return false;
    }
    *name = (Text){(const char *)start, cursor->at - 1 - start};
    skip_space(cursor);
    if (cursor->at >= cursor->end || *cursor->at != ':') {
        return false;
    }
    cursor->at++;
    skip_space(cursor);
    return cursor->at < cursor->end;
}

/* Reads a name: if it may be that of a write key, the value must have no secret half. */
static inline bool read_safe_name(Cursor *cursor, Text *name)
{
    if (!read_name(cursor, name)) {
        return false;
    }
    const unsigned char *start = (const unsigned char *)name->bytes, *end = start + name->length;
    bool may_name_key = cursor->escaped > start || ((end[-1] | 0x20) == 'y' && names_key(start, end));
    return !may_name_key || !is_secret(cursor);
}

/* The same, and the name must not be `unwanted`. */
static inline bool skip_name(Cursor *cursor, const Text *unwanted)
{
    Text name;
    if (!read_safe_name(cursor, &name)) {
        return false;
    }
    const unsigned char *start = (const unsigned char *)name.bytes;
    return unwanted == NULL || !may_be(start, start + name.length, unwanted);
}

/* A value that begins with a bracket, of at most `deepest` levels: the cursor goes from its bracket to behind its end.
 * If it is an object, it must have no member called `unwanted`, unless that is NULL. */
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

static inline bool skip_value(Cursor *cursor, int deepest)
{
    bool nested = *cursor->at == '{' || *cursor->at == '[';
    return nested ? skip_container(cursor, deepest, NULL) : skip_scalar(cursor);
}

typedef enum { WRONG, ELEMENT, END } Step;

/* Go to the first or next element of an array of objects. */
static Step step(Cursor *cursor, bool first)
{
    skip_space(cursor);
    if (cursor->at == cursor->end || (first ? *cursor->at != '[' : *cursor->at != ',' && *cursor->at != ']')) {
        return WRONG;
    }
    bool over = *cursor->at++ == ']';
    if (!over) {
        skip_space(cursor);
    }
    if (first && cursor->at < cursor->end && *cursor->at == ']') {
        cursor->at++;
        over = true;
    }
    if (over) {
        return END;
    }
    return cursor->at < cursor->end && *cursor->at == '{' ? ELEMENT : WRONG;
}

/* The same; behind the array no data may follow. */
static Step last_step(Cursor *cursor, bool first)
{
    Step next = step(cursor, first);
    return next == END && !is_over(cursor) ? WRONG : next;
}

/* Go to the bracket, or behind the member, of an object, or behind its end if it has no more members. */
static Step member_step(Cursor *cursor, bool first)
{
    skip_space(cursor);
    if (cursor->at == cursor->end || (!first && *cursor->at != ',' && *cursor->at != '}')) {
        return WRONG;
    }
    bool over = *cursor->at++ == '}';
    if (!over) {
        skip_space(cursor);
    }
    if (first && cursor->at < cursor->end && *cursor->at == '}') {
        cursor->at++;
        over = true;
    }
    return over ? END : ELEMENT;
}

static inline bool is_text(const Text *text, const char *other)
{
    return (size_t)text->length == strlen(other) && memcmp(text->bytes, other, (size_t)text->length) == 0;
}

/* Where objects are: of each its start and its end. */
typedef struct {
    int64_t *places;
    Py_ssize_t used;
    Py_ssize_t room;
} Spans;

static bool add_span(Spans *spans, Py_ssize_t start, Py_ssize_t end)
{
    if (spans->used == spans->room) {
        Py_ssize_t room = spans->room ? 2 * spans->room : 2 * FIRST_SPANS;
        int64_t *more = spans->places;
        PyMem_Resize(more, int64_t, room);
        if (more == NULL) {
            PyErr_NoMemory();
            return false;
        }
        spans->places = more;
        spans->room = room;
    }
    spans->places[spans->used++] = start;
    spans->places[spans->used++] = end;
    return true;
}

static PyObject *bytes_of(const Spans *spans)
{
    return PyBytes_FromStringAndSize((const char *)spans->places, spans->used * (Py_ssize_t)sizeof *spans->places);
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
    cursor->escaped = cursor->at;
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
    Spans spans = {NULL, 0, 0};
    Step next;
    while ((next = last_step(&cursor, spans.used == 0)) == ELEMENT) {
        const unsigned char *element = cursor.at;
        if (!skip_container(&cursor, deepest, NULL) || !add_span(&spans, element - start, cursor.at - start)) {
            break;
        }
    }
    PyObject *found = PyErr_Occurred() ? NULL : next == END ? bytes_of(&spans) : Py_NewRef(Py_None);
    PyMem_Free(spans.places);
    return found;
}

/* The names of the members to read: first those whose values are objects, then those whose values are texts. */
typedef struct {
    Text names[MOST_NAMES];
    Py_ssize_t objects;
    Py_ssize_t all;
} Asked;

static bool ask_for(Asked *asked, PyObject *names)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        if (!PyBytes_Check(name) || asked->all == MOST_NAMES) {
            PyErr_Format(PyExc_TypeError, "expected the bytes of at most %d names", MOST_NAMES);
            return false;
        }
        asked->names[asked->all++] = (Text){PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)};
    }
    return true;
}

/* The index of a name among those to read, or -1. */
static Py_ssize_t place_of(const Asked *asked, const unsigned char *start, Py_ssize_t length)
{
    for (Py_ssize_t i = 0; i < asked->all; i++) {
        if (length == asked->names[i].length && memcmp(start, asked->names[i].bytes, (size_t)length) == 0) {
            return i;
        }
    }
    return -1;
}

/* The value between two pointers: None for null, the bytes of an object, or the text of a string that is written
 * without escapes. NULL if the value has another type. */
static PyObject *value_of(const unsigned char *start, const unsigned char *end, bool object)
{
    if (*start == 'n') {
        return Py_NewRef(Py_None);
    }
    if (object) {
        return *start == '{' ? PyBytes_FromStringAndSize((const char *)start, end - start) : NULL;
    }
    if (*start != '"' || memchr(start, '\\', (size_t)(end - start)) != NULL) {
        return NULL;
    }
    return PyUnicode_DecodeUTF8((const char *)start + 1, end - start - 2, NULL);
}

typedef enum { FAILED, NOT_VALIDATED, UNUSUAL, USUAL } Outcome;

/* Reads an object's members into a row; of a repeated name the last value counts. The object is unusual if a value has
 * another type than expected, if a name has escapes, or if it is not among those to read. The cursor is at the bracket. */
static Outcome read_members(Cursor *cursor, int deepest, const Asked *asked, PyObject *row)
{
    Outcome outcome = USUAL;
    if (deepest == 0) {
        return NOT_VALIDATED;
    }
    cursor->at++;
    skip_space(cursor);
    if (cursor->at < cursor->end && *cursor->at == '}') {
        cursor->at++;
        return USUAL;
    }
    for (;;) {
        const unsigned char *name = cursor->at + 1;
        if (!skip_name(cursor, NULL) || cursor->at >= cursor->end) {
            return NOT_VALIDATED;
        }
        const unsigned char *quote = memchr(name, '"', (size_t)(cursor->at - name)), *start = cursor->at;
        bool nested = *start == '{' || *start == '[';
        if (nested ? !skip_container(cursor, deepest - 1, NULL) : !skip_scalar(cursor)) {
            return NOT_VALIDATED;
        }
        if (memchr(name, '\\', (size_t)(quote - name)) != NULL) {
            outcome = UNUSUAL;
        }
        Py_ssize_t place = place_of(asked, name, quote - name);
        if (place < 0) {
            outcome = UNUSUAL;
        } else {
            PyObject *value = value_of(start, cursor->at, place < asked->objects);
            if (value == NULL && PyErr_Occurred()) {
                return FAILED;
            }
            if (value == NULL) {
                outcome = UNUSUAL;
            } else {
                PyObject *before = PyTuple_GET_ITEM(row, place);
                PyTuple_SET_ITEM(row, place, value);
                Py_DECREF(before);
            }
        }
        skip_space(cursor);
        if (cursor->at >= cursor->end || (*cursor->at != ',' && *cursor->at != '}')) {
            return NOT_VALIDATED;
        }
        if (*cursor->at++ == '}') {
            return outcome;
        }
        skip_space(cursor);
    }
}

static PyObject *empty_row(Py_ssize_t length)
{
    PyObject *row = PyTuple_New(length);
    for (Py_ssize_t i = 0; row != NULL && i < length; i++) {
        PyTuple_SET_ITEM(row, i, Py_NewRef(Py_None));
    }
    return row;
}

static PyObject *object_members(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Cursor cursor;
    int deepest;
    Asked asked = {.objects = 0, .all = 0};
    if (!arguments(given, count, &cursor, &deepest)) {
        return NULL;
    }
    if (count != 5 || !PyTuple_Check(given[3]) || !PyTuple_Check(given[4])) {
        PyErr_SetString(PyExc_TypeError, "expected a size and two tuples of names");
        return NULL;
    }
    Py_ssize_t largest = PyLong_AsSsize_t(given[2]);
    if ((largest == -1 && PyErr_Occurred()) || !ask_for(&asked, given[3])) {
        return NULL;
    }
    asked.objects = asked.all;
    if (!ask_for(&asked, given[4])) {
        return NULL;
    }
    PyObject *rows = PyList_New(0);
    if (rows == NULL) {
        return NULL;
    }
    Step next;
    while ((next = last_step(&cursor, PyList_GET_SIZE(rows) == 0)) == ELEMENT) {
        const unsigned char *start = cursor.at;
        PyObject *row = empty_row(asked.all), *element = NULL;
        Outcome outcome = row == NULL ? FAILED : read_members(&cursor, deepest, &asked, row);
        if (outcome == UNUSUAL || (outcome == USUAL && cursor.at - start > largest)) {
            element = PyBytes_FromStringAndSize((const char *)start, cursor.at - start);
        } else if (outcome == USUAL) {
            element = Py_NewRef(row);
        }
        Py_XDECREF(row);
        if (outcome == NOT_VALIDATED) {
            break;
        }
        bool failed = element == NULL || PyList_Append(rows, element) < 0;
        Py_XDECREF(element);
        if (failed) {
            Py_DECREF(rows);
            return NULL;
        }
    }
    if (next != END) {
        Py_DECREF(rows);
        return Py_NewRef(Py_None);
    }
    return rows;
}

/* Finds the text of a member of an object that is known to be valid, up to the first member of that name. */
static PyObject *string_member(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Cursor cursor;
    int deepest;
    if (!arguments(given, count, &cursor, &deepest)) {
        return NULL;
    }
    if (count != 3 || !PyBytes_Check(given[2])) {
        PyErr_SetString(PyExc_TypeError, "expected the bytes of a name");
        return NULL;
    }
    const char *wanted = PyBytes_AS_STRING(given[2]);
    Py_ssize_t length = PyBytes_GET_SIZE(given[2]);
    if (deepest == 0 || cursor.at == cursor.end || *cursor.at != '{') {
        Py_RETURN_NONE;
    }
    cursor.at++;
    skip_space(&cursor);
    bool over = cursor.at < cursor.end && *cursor.at == '}';
    while (!over) {
        const unsigned char *name = cursor.at + 1;
        if (!skip_name(&cursor, NULL) || cursor.at >= cursor.end) {
            Py_RETURN_NONE;
        }
        const unsigned char *quote = memchr(name, '"', (size_t)(cursor.at - name)), *start = cursor.at;
        bool nested = *start == '{' || *start == '[', found;
        if (memchr(name, '\\', (size_t)(quote - name)) != NULL
            || (nested ? !skip_container(&cursor, deepest - 1, NULL) : !skip_scalar(&cursor))) {
            Py_RETURN_NONE;
        }
        found = quote - name == length && memcmp(name, wanted, (size_t)length) == 0;
        if (found && *start == '"') {
            PyObject *text = value_of(start, cursor.at, false);
            return text == NULL && !PyErr_Occurred() ? Py_NewRef(Py_None) : text;
        }
        skip_space(&cursor);
        if (cursor.at >= cursor.end || (*cursor.at != ',' && *cursor.at != '}')) {
            Py_RETURN_NONE;
        }
        over = found || *cursor.at == '}';
        cursor.at++;
        skip_space(&cursor);
    }
    return PyUnicode_FromStringAndSize(NULL, 0);
}

/* Whether the value between two pointers is a known type of events of Jitsu 2 that need no name. */
static bool is_type_without_name(const Text *value)
{
    return is_text(value, "\"page\"") || is_text(value, "\"identify\"") || is_text(value, "\"screen\"")
           || is_text(value, "\"group\"") || is_text(value, "\"alias\"");
}

/* Whether a value is a text that Jitsu 2 takes for the name of an event. It means no more bytes than it is written
 * with, and none if these are none. */
static bool is_event_name(const Text *value)
{
    return *value->bytes == '"' && value->length > 2 && value->length <= LONGEST_EVENT_NAME + 2;
}

/* An object of at most `deepest` levels: the cursor goes from its bracket to behind its end. `taken` tells whether
 * Jitsu 2 surely takes it as an event; of a repeated name the last value counts. */
static bool skip_event(Cursor *cursor, int deepest, bool *taken)
{
    bool needs_name = true, is_track = false, named = false, clear = true, first = true;
    Step next = deepest > 0 ? ELEMENT : WRONG;
    while (next == ELEMENT && (next = member_step(cursor, first)) == ELEMENT) {
        Text name, value;
        first = false;
        if (!read_safe_name(cursor, &name)) {
            return false;
        }
        clear = clear && cursor->escaped < (const unsigned char *)name.bytes; /* else it may be one of the names */
        value.bytes = (const char *)cursor->at;
        if (!skip_value(cursor, deepest - 1)) {
            return false;
        }
        value.length = (const char *)cursor->at - value.bytes;
        if (is_text(&name, "type")) {
            needs_name = !is_type_without_name(&value);
            is_track = needs_name && is_text(&value, "\"track\"");
        } else if (is_text(&name, "event")) {
            named = is_event_name(&value);
        }
    }
    *taken = clear && (!needs_name || (is_track && named));
    return next == END;
}

/* Reads an array of objects at the cursor; `unclear` gets the indexes of those that Jitsu 2 may refuse as events, unless
 * it is NULL. */
static Outcome read_events(Cursor *cursor, const unsigned char *start, int deepest, Spans *spans, PyObject *unclear)
{
    Step next;
    while ((next = step(cursor, spans->used == 0)) == ELEMENT) {
        const unsigned char *element = cursor->at;
        bool taken = true;
        if (unclear != NULL ? !skip_event(cursor, deepest, &taken) : !skip_container(cursor, deepest, NULL)) {
            return NOT_VALIDATED;
        }
        if (!taken) {
            PyObject *index = PyLong_FromSsize_t(spans->used / 2);
            int failed = index == NULL ? -1 : PyList_Append(unclear, index);
            Py_XDECREF(index);
            if (failed < 0) {
                return FAILED;
            }
        }
        if (!add_span(spans, element - start, cursor->at - start)) {
            return FAILED;
        }
    }
    return next == END ? USUAL : NOT_VALIDATED;
}

typedef struct {
    Text array;
    Asked texts;
    Spans spans;
    Py_ssize_t array_bytes; /* of the array; -1 before it is found */
    PyObject *row;
    PyObject *unclear;
} Batch;

/* Reads the members of the object around a batch. A second array is unusual, and so are a name with escapes and a value of
 * another type. The values of its own names may have secret halves: only the events are kept. */
static Outcome read_batch(Cursor *cursor, int deepest, Batch *batch)
{
    const unsigned char *start = cursor->at;
    bool first = true;
    Step next;
    while ((next = member_step(cursor, first)) == ELEMENT) {
        Text name;
        first = false;
        if (!read_name(cursor, &name) || memchr(name.bytes, '\\', (size_t)name.length) != NULL) {
            return NOT_VALIDATED;
        }
        const unsigned char *value = cursor->at;
        if (name.length == batch->array.length && memcmp(name.bytes, batch->array.bytes, (size_t)name.length) == 0) {
            if (batch->array_bytes >= 0 || *value != '[') {
                return UNUSUAL;
            }
            Outcome outcome = read_events(cursor, start, deepest - 2, &batch->spans, batch->unclear);
            if (outcome != USUAL) {
                return outcome;
            }
            batch->array_bytes = cursor->at - value;
            continue;
        }
        if (!skip_value(cursor, deepest - 1)) {
            return NOT_VALIDATED;
        }
        Py_ssize_t place = place_of(&batch->texts, (const unsigned char *)name.bytes, name.length);
        if (place >= 0) {
            PyObject *text = value_of(value, cursor->at, false);
            if (text == NULL) {
                return PyErr_Occurred() ? FAILED : UNUSUAL;
            }
            PyObject *before = PyTuple_GET_ITEM(batch->row, place);
            PyTuple_SET_ITEM(batch->row, place, text);
            Py_DECREF(before);
        }
    }
    return next == END && is_over(cursor) ? USUAL : NOT_VALIDATED;
}

static PyObject *object_batch(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    (void)module;
    Cursor cursor;
    int deepest;
    Batch batch = {.array_bytes = -1};
    if (!arguments(given, count, &cursor, &deepest)) {
        return NULL;
    }
    if (count != 5 || !PyBytes_Check(given[2]) || !PyTuple_Check(given[3]) || !PyBool_Check(given[4])) {
        PyErr_SetString(PyExc_TypeError, "expected the bytes of a name, a tuple of names, and a bool");
        return NULL;
    }
    batch.array = (Text){PyBytes_AS_STRING(given[2]), PyBytes_GET_SIZE(given[2])};
    if (!ask_for(&batch.texts, given[3])) {
        return NULL;
    }
    if (deepest < 2 || cursor.at == cursor.end || *cursor.at != '{') {
        Py_RETURN_NONE;
    }
    batch.row = empty_row(batch.texts.all);
    batch.unclear = given[4] == Py_True ? PyList_New(0) : NULL;
    Outcome outcome = FAILED;
    if (batch.row != NULL && (batch.unclear != NULL || given[4] == Py_False)) {
        outcome = read_batch(&cursor, deepest, &batch);
    }
    PyObject *found = NULL, *spans = NULL;
    if (outcome == USUAL) {
        spans = batch.array_bytes < 0 ? Py_NewRef(Py_None) : bytes_of(&batch.spans);
        PyObject *unclear = batch.unclear != NULL ? batch.unclear : Py_None;
        found = spans == NULL ? NULL : Py_BuildValue("(OnOO)", spans, batch.array_bytes, batch.row, unclear);
    } else if (outcome != FAILED) {
        found = Py_NewRef(Py_None);
    }
    Py_XDECREF(spans);
    Py_XDECREF(batch.row);
    Py_XDECREF(batch.unclear);
    PyMem_Free(batch.spans.places);
    return found;
}

static PyMethodDef methods[] = {
    {"object_end", (PyCFunction)(void (*)(void))object_end, METH_FASTCALL,
     PyDoc_STR("object_end(data, levels, unwanted=None)\n--\n\n"
               "Return where the JSON object ends that the data is, without white space; -1 if it is not validated.\n"
               "An object with a member of the unwanted name is never validated.")},
    {"object_spans", (PyCFunction)(void (*)(void))object_spans, METH_FASTCALL,
     PyDoc_STR("object_spans(data, levels)\n--\n\n"
               "Return where each object begins and ends in the JSON array that the data is, as native numbers of\n"
               "64 bits one after the other; None if it is not validated. Each element may have so many levels.")},
    {"object_members", (PyCFunction)(void (*)(void))object_members, METH_FASTCALL,
     PyDoc_STR("object_members(data, levels, largest, objects, texts)\n--\n\n"
               "Return some members of each object in a JSON array: a tuple of the bytes of its objects and of its\n"
               "texts, None for what is null or absent. An element's own bytes instead if it is larger than that,\n"
               "if a value has another type, if a text or a name has escapes, or if a name is not among those to read.\n"
               "None as object_spans.")},
    {"string_member", (PyCFunction)(void (*)(void))string_member, METH_FASTCALL,
     PyDoc_STR("string_member(data, levels, name)\n--\n\n"
               "Return the text of the first member of a name in the JSON object that the data is; an empty text if\n"
               "there is none, or if it is no text. None if it is not validated up to there, or has escapes there.")},
    {"object_batch", (PyCFunction)(void (*)(void))object_batch, METH_FASTCALL,
     PyDoc_STR("object_batch(data, levels, array, texts, checked)\n--\n\n"
               "Return what the JSON object that the data is has around an array of objects: where these begin and end\n"
               "in the data, as object_spans does, or None without such a member; how many bytes the array has; a tuple of\n"
               "some texts, None for what is null or absent; and, if checked, the indexes of the objects that Jitsu 2 may\n"
               "refuse as events. The object may have so many levels, and each in the array two less. None if it is not\n"
               "validated, or unusual: two such arrays, a name with escapes, a value of another type.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_scan",
    .m_doc = PyDoc_STR("A fast scan that validates JSON."),
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__scan(void)
{
    return PyModuleDef_Init(&definition);
}
