/* Whole streams: what they may begin with, their header and their end. */
#ifndef PLUGPASS_EXI_ROOTS_H
#define PLUGPASS_EXI_ROOTS_H

#include "objects.h"

#define HEADER 0x80 /* EXI 1.0 without options (EXI clause 5) */

/* What a stream may begin with, in the order of the codes. */
typedef struct {
    PyObject_HEAD
    unsigned width;
    long end; /* the code that ends a fragment, -1 in a document */
    unsigned max_depth;
    Production *productions;
    PyObject **wrappers; /* what makes the result of the value; NULL where that is the value itself */
    Py_ssize_t count;
    PyObject *codes; /* dict from class to the code of its natural element */
} Roots;

/* (kind, value, wrapper or None) */
static int
parse_root(const ModuleState *types, PyObject *row, Production *production, PyObject **wrapper)
{
    PyObject *value, *callable;
    int kind;
    if (!PyArg_ParseTuple(row, "iOO:root", &kind, &value, &callable)) {
        return REFUSED;
    }
    production->kind = (enum kind)kind;
    production->field = -1;
    *wrapper = callable == Py_None ? NULL : Py_NewRef(callable);
    return parse_value(types, production, value);
}

static PyObject *
roots_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *rows, *codes;
    unsigned width, max_depth;
    long end;
    static char *names[] = {"width", "end", "max_depth", "roots", "codes", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "IlIOO!", names, &width, &end, &max_depth, &rows, &PyDict_Type,
                                     &codes)) {
        return NULL;
    }
    if (width > MOST_CODE_BITS || end >= 1L << MOST_CODE_BITS) {
        malformed("the code of a root is too wide");
        return NULL;
    }
    Roots *self = (Roots *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->width = width;
    self->end = end;
    self->max_depth = max_depth;
    self->codes = Py_NewRef(codes);
    Py_ssize_t count;
    self->productions = rows_of(rows, sizeof(Production), &count);
    self->wrappers = self->productions == NULL ? NULL : rows_of(rows, sizeof(PyObject *), &count);
    if (self->wrappers == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    self->count = count;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (parse_root(state_of_type(type), PyTuple_GET_ITEM(rows, i), self->productions + i, self->wrappers + i) < 0) {
            Py_DECREF(self);
            return NULL;
        }
    }
    return (PyObject *)self;
}

static int
roots_traverse(PyObject *self, visitproc visit, void *arg)
{
    Roots *roots = (Roots *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(roots->codes);
    for (Py_ssize_t i = 0; i < roots->count; i++) {
        Py_VISIT(roots->productions[i].value);
        Py_VISIT(roots->wrappers[i]);
    }
    return 0;
}

static int
roots_clear(PyObject *self)
{
    Roots *roots = (Roots *)self;
    Py_CLEAR(roots->codes);
    for (Py_ssize_t i = 0; i < roots->count; i++) {
        Py_CLEAR(roots->productions[i].value);
        Py_CLEAR(roots->wrappers[i]);
    }
    return 0;
}

static void
roots_dealloc(PyObject *self)
{
    Roots *roots = (Roots *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    roots_clear(self);
    PyMem_Free(roots->productions);
    PyMem_Free(roots->wrappers);
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- streams ---------------------------------------------------------------------------------------------------- */

/* Nothing but padding follows: fewer than 8 bits, all zero. */
static int
finish(Reader *from)
{
    uint32_t padding;
    size_t rest = from->size - from->at;
    return rest >= 8 || take(from, (unsigned)rest, &padding) < 0 || padding != 0 ? REFUSED : DONE;
}

static PyObject *
read_stream(const Roots *roots, Reader *from)
{
    uint32_t header, code, end;
    if (take(from, 8, &header) < 0 || header != HEADER || take(from, roots->width, &code) < 0 ||
        code >= (size_t)roots->count) {
        return NULL;
    }
    PyObject *value = read_value(roots->productions + code, from, 0);
    if (value == NULL) {
        return NULL;
    }
    int ended = roots->end < 0 || (take(from, roots->width, &end) == DONE && end == (uint32_t)roots->end);
    if (!ended || finish(from) < 0) {
        Py_DECREF(value);
        return NULL;
    }
    if (roots->wrappers[code] != NULL) {
        Py_SETREF(value, PyObject_CallOneArg(roots->wrappers[code], value));
    }
    return value;
}

/* The answer to the caller: a refusal is None. */
static PyObject *
answer(PyObject *result)
{
    if (result != NULL || PyErr_Occurred()) {
        return result;
    }
    Py_RETURN_NONE;
}

static PyObject *
roots_decode(PyObject *self, PyObject *data)
{
    const Roots *roots = (const Roots *)self;
    if (!PyBytes_CheckExact(data) || PyBytes_GET_SIZE(data) > PY_SSIZE_T_MAX / 8) {
        Py_RETURN_NONE;
    }
    Reader from = {
        .data = (const uint8_t *)PyBytes_AS_STRING(data),
        .size = 8 * (size_t)PyBytes_GET_SIZE(data),
        .max_depth = roots->max_depth,
    };
    return answer(read_stream(roots, &from));
}

static PyObject *
write_stream(const Roots *roots, PyObject *message, unsigned code)
{
    Writer to;
    to.buffer = to.small;
    to.capacity = sizeof to.small;
    to.at = 0;
    to.max_depth = roots->max_depth;
    PyObject *stream = NULL;
    /* Both ways to append leave zeros behind the last bit: that is the padding. */
    if (put(&to, HEADER, 8) == DONE && put(&to, code, roots->width) == DONE &&
        write_value(roots->productions + code, &to, message, 0) == DONE &&
        (roots->end < 0 || put(&to, (uint32_t)roots->end, roots->width) == DONE)) {
        stream = PyBytes_FromStringAndSize((const char *)to.buffer, (Py_ssize_t)((to.at + 7) / 8));
    }
    if (to.buffer != to.small) {
        PyMem_Free(to.buffer);
    }
    return stream;
}

static PyObject *
roots_encode(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const Roots *roots = (const Roots *)self;
    if (count != 1 && count != 2) {
        PyErr_SetString(PyExc_TypeError, "encode takes a message, and the code of its element if that is not its own");
        return NULL;
    }
    PyObject *found = count == 2 ? args[1] : PyDict_GetItemWithError(roots->codes, (PyObject *)Py_TYPE(args[0]));
    if (found == NULL) {
        return answer(NULL);
    }
    long code = PyLong_AsLong(found);
    if (code == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (code < 0 || code >= roots->count) {
        Py_RETURN_NONE;
    }
    return answer(write_stream(roots, args[0], (unsigned)code));
}

static PyMethodDef roots_methods[] = {
    {"decode", roots_decode, METH_O,
     "decode(data): the message in a stream, or None if it is refused; the interpreter knows why."},
    {"encode", (PyCFunction)(void (*)(void))roots_encode, METH_FASTCALL,
     "encode(message[, code]): its stream, or None if it is refused; the interpreter knows why."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot roots_slots[] = {
    {Py_tp_doc, "Roots(width, end, max_depth, roots, codes): what a stream may begin with."},
    {Py_tp_new, roots_new},
    {Py_tp_dealloc, roots_dealloc},
    {Py_tp_traverse, roots_traverse},
    {Py_tp_clear, roots_clear},
    {Py_tp_methods, roots_methods},
    {0, NULL},
};

static PyType_Spec roots_spec = {
    .name = "plugpass.exi._engine.Roots",
    .basicsize = sizeof(Roots),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = roots_slots,
};

#endif
