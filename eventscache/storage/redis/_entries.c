/* Makes the entries of a page from what Redis returns: events, and their places in the admission log.
 *
 * A place is "<s|k|e><admitted µs>:<sequence>", with at most 16 digits in each number. What is of another form, and an
 * event that is too long to be one, is left out: something else wrote it.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

enum { MOST_DIGITS = 16 };

/* Reads a number up to a byte or the end; returns what follows, or NULL if it is none. */
static const char *read_number(const char *at, const char *end, char last, uint64_t *number)
{
    const char *start = at;
    *number = 0;
    for (; at < end && *at != last; at++) {
        if (*at < '0' || *at > '9' || at - start >= MOST_DIGITS) {
            return NULL;
        }
        *number = *number * 10 + (uint64_t)(*at - '0');
    }
    return at == start ? NULL : at;
}

/* Returns the status by its letter, which is borrowed; NULL if it is none, perhaps with an exception. */
static PyObject *read_place(PyObject *logged, PyObject *letters, uint64_t *admitted, uint64_t *sequence)
{
    const char *at = PyBytes_AS_STRING(logged), *end = at + PyBytes_GET_SIZE(logged);
    if (at == end) {
        return NULL;
    }
    const char *colon = read_number(at + 1, end, ':', admitted);
    /* No byte is behind the last number: bytes end with a zero, which is no digit. */
    if (colon == NULL || colon == end || read_number(colon + 1, end, '\0', sequence) != end) {
        return NULL;
    }
    PyObject *letter = PyBytes_FromStringAndSize(at, 1);
    if (letter == NULL) {
        return NULL;
    }
    PyObject *status = PyDict_GetItemWithError(letters, letter);
    Py_DECREF(letter);
    return status;
}

/* Returns an entry; NULL if something else wrote it, or with an exception. */
static PyObject *make_entry(PyTypeObject *type, PyObject *letters, PyObject *logged, PyObject *event)
{
    uint64_t admitted, sequence;
    PyObject *status = read_place(logged, letters, &admitted, &sequence);
    if (status == NULL) {
        return NULL;
    }
    PyObject *fields = Py_BuildValue("(KKOO)", (unsigned long long)sequence, (unsigned long long)admitted, status, event);
    PyObject *arguments = fields ? PyTuple_Pack(1, fields) : NULL;
    /* As a named tuple makes its instances, without the call of a function in Python. */
    PyObject *entry = arguments ? PyTuple_Type.tp_new(type, arguments, NULL) : NULL;
    Py_XDECREF(arguments);
    Py_XDECREF(fields);
    return entry;
}

static PyObject *entries(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *log, *events, *letters, *type;
    Py_ssize_t most_bytes;
    if (!PyArg_ParseTuple(arguments, "O!O!nO!O!", &PyList_Type, &log, &PyList_Type, &events, &most_bytes, &PyDict_Type,
                          &letters, &PyType_Type, &type)) {
        return NULL;
    }
    if (!PyType_IsSubtype((PyTypeObject *)type, &PyTuple_Type)) {
        PyErr_SetString(PyExc_TypeError, "an entry is a tuple");
        return NULL;
    }
    PyObject *found = PyList_New(0);
    Py_ssize_t count = Py_MIN(PyList_GET_SIZE(log), PyList_GET_SIZE(events));
    for (Py_ssize_t i = 0; found != NULL && i < count; i++) {
        PyObject *logged = PyList_GET_ITEM(log, i), *event = PyList_GET_ITEM(events, i), *entry = NULL;
        if (PyBytes_Check(logged) && PyBytes_Check(event) && PyBytes_GET_SIZE(event) <= most_bytes) {
            entry = make_entry((PyTypeObject *)type, letters, logged, event);
        }
        if (entry != NULL ? PyList_Append(found, entry) < 0 : PyErr_Occurred() != NULL) {
            Py_CLEAR(found);
        }
        Py_XDECREF(entry);
    }
    return found;
}

static PyMethodDef methods[] = {
    {"entries", entries, METH_VARARGS,
     PyDoc_STR("entries(log, events, most_bytes, letters, type)\n--\n\n"
               "Return the entries, as instances of a named tuple, without those that something else wrote.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_entries",
    .m_doc = PyDoc_STR("Makes the entries of a page."),
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__entries(void)
{
    return PyModule_Create(&definition);
}
