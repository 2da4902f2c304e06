/* How the value of each datatype is coded (EXI clause 7.1), with its facets checked in both directions. */
#ifndef PLUGPASS_EXI_VALUES_H
#define PLUGPASS_EXI_VALUES_H

#include "bits.h"

#define CODE_POINT_BITS 21

enum coding { FIXED, INTEGER, STRING, BINARY };

/* How one datatype is coded: plugpass/exi/values.py has the same four. */
typedef struct {
    PyObject_HEAD
    enum coding coding;
    unsigned width;     /* FIXED: of a code, in bits */
    PyObject *values;   /* FIXED: tuple, by code */
    int numbers;        /* FIXED: the values are consecutive integers */
    unsigned most;      /* others: bits of the integer or of the length */
    PyObject *minimum;  /* INTEGER */
    PyObject *maximum;
    int64_t lowest;     /* INTEGER: the bounds of what an int64 can hold */
    int64_t highest;
    int is_signed;
    size_t shortest;    /* STRING, BINARY */
    size_t longest;
} Coder;

static PyObject *
read_fixed(const Coder *coder, uint32_t code)
{
    if (code >= (size_t)PyTuple_GET_SIZE(coder->values)) {
        return NULL;
    }
    return Py_NewRef(PyTuple_GET_ITEM(coder->values, code));
}

static int
within(const Coder *coder, PyObject *value)
{
    int result = PyObject_RichCompareBool(value, coder->minimum, Py_GE);
    return result == 1 ? PyObject_RichCompareBool(value, coder->maximum, Py_LE) : result;
}

/* EXI 7.1.5 */
static PyObject *
read_integer(const Coder *coder, Reader *from)
{
    uint32_t negative = 0;
    uint64_t magnitude;
    if (coder->is_signed && take(from, 1, &negative) < 0) {
        return NULL;
    }
    size_t start = from->at;
    int size = take_unsigned(from, coder->most, &magnitude);
    if (size == DONE) {
        int64_t value = negative ? -(int64_t)magnitude - 1 : (int64_t)magnitude;
        return coder->lowest <= value && value <= coder->highest ? PyLong_FromLongLong(value) : NULL;
    }
    if (size != LARGE) {
        return NULL;
    }
    from->at = start;
    PyObject *value = take_large(from, coder->most);
    if (value != NULL && negative) {
        Py_SETREF(value, PyNumber_Invert(value)); /* -magnitude - 1 */
    }
    if (value != NULL && within(coder, value) != 1) {
        Py_CLEAR(value);
    }
    return value;
}

static int
length_fits(const Coder *coder, uint64_t length)
{
    return coder->shortest <= length && length <= coder->longest;
}

static int
is_character(uint64_t code_point)
{
    return code_point <= 0x10FFFF && !(0xD800 <= code_point && code_point <= 0xDFFF);
}

/* Text with characters beyond ASCII: each code point is an unsigned integer. */
static PyObject *
read_characters(Reader *from, size_t count)
{
    Py_UCS4 *characters = PyMem_Malloc(count * sizeof *characters); /* count octets remain: it cannot overflow */
    if (characters == NULL) {
        return PyErr_NoMemory();
    }
    PyObject *value = NULL;
    for (size_t i = 0; i < count; i++) {
        uint64_t point;
        if (take_unsigned(from, CODE_POINT_BITS, &point) != DONE || !is_character(point)) {
            goto done;
        }
        characters[i] = (Py_UCS4)point;
    }
    value = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, characters, (Py_ssize_t)count);
done:
    PyMem_Free(characters);
    return value;
}

static int
is_ascii(const uint8_t *octets, size_t count)
{
    uint8_t all = 0;
    for (size_t i = 0; i < count; i++) {
        all |= octets[i];
    }
    return all < 0x80;
}

/* EXI 7.1.10. Lengths 0 and 1 are hits in a string table, and there is none. */
static PyObject *
read_string(const Coder *coder, Reader *from)
{
    uint64_t length;
    if (take_unsigned(from, coder->most, &length) != DONE || length < 2 || !length_fits(coder, length - 2)) {
        return NULL;
    }
    size_t count = (size_t)(length - 2);
    if (count > (from->size - from->at) / 8) {
        return NULL;
    }
    PyObject *value = PyUnicode_New((Py_ssize_t)count, 127);
    if (value == NULL || count == 0) {
        return value;
    }
    size_t start = from->at;
    (void)take_octets(from, PyUnicode_1BYTE_DATA(value), count);
    if (is_ascii(PyUnicode_1BYTE_DATA(value), count)) {
        return value;
    }
    Py_DECREF(value);
    from->at = start;
    return read_characters(from, count);
}

/* EXI 7.1.1 */
static PyObject *
read_binary(const Coder *coder, Reader *from)
{
    uint64_t length;
    if (take_unsigned(from, coder->most, &length) != DONE || !length_fits(coder, length) ||
        length > (from->size - from->at) / 8) {
        return NULL;
    }
    PyObject *value = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (value != NULL && length > 0) {
        (void)take_octets(from, (uint8_t *)PyBytes_AS_STRING(value), (size_t)length);
    }
    return value;
}

/* A bare value: an attribute, or text. */
static PyObject *
read_simple(const Coder *coder, Reader *from)
{
    uint32_t code;
    switch (coder->coding) {
    case FIXED:
        return take(from, coder->width, &code) < 0 ? NULL : read_fixed(coder, code);
    case INTEGER:
        return read_integer(coder, from);
    case STRING:
        return read_string(coder, from);
    case BINARY:
        return read_binary(coder, from);
    }
    return NULL;
}

/* The content of a simple element: a zero bit for the characters event, the value, a zero bit for the end. */
static PyObject *
read_element(const Coder *coder, Reader *from)
{
    uint32_t event;
    if (coder->coding == FIXED) { /* all at once; a one in front makes the number too large for the list */
        if (take(from, coder->width + 2, &event) < 0 || event & 1 || event >> (coder->width + 1)) {
            return NULL;
        }
        return read_fixed(coder, event >> 1);
    }
    if (take(from, 1, &event) < 0 || event) {
        return NULL;
    }
    PyObject *value = read_simple(coder, from);
    if (value != NULL && (take(from, 1, &event) < 0 || event)) {
        Py_CLEAR(value);
    }
    return value;
}

/* The code of a value that is one of a list, -1 for none: by identity, or a number of exactly the type int. */
static int64_t
fixed_code(const Coder *coder, PyObject *value)
{
    Py_ssize_t count = PyTuple_GET_SIZE(coder->values);
    if (coder->numbers) {
        int overflow = 0;
        int64_t number = PyLong_CheckExact(value) ? PyLong_AsLongLongAndOverflow(value, &overflow) : INT64_MIN;
        return !overflow && coder->lowest <= number && number <= coder->highest ? number - coder->lowest : -1;
    }
    for (Py_ssize_t code = 0; code < count; code++) {
        if (PyTuple_GET_ITEM(coder->values, code) == value) {
            return code;
        }
    }
    return -1;
}

static int
write_large_integer(const Coder *coder, Writer *to, PyObject *value, int negative)
{
    if (within(coder, value) != 1 || (coder->is_signed && put(to, (uint32_t)negative, 1) < 0)) {
        return REFUSED;
    }
    PyObject *magnitude = negative ? PyNumber_Invert(value) : Py_NewRef(value);
    if (magnitude == NULL) {
        return REFUSED;
    }
    int result = put_large(to, magnitude);
    Py_DECREF(magnitude);
    return result;
}

static int
write_integer(const Coder *coder, Writer *to, PyObject *value)
{
    if (!PyLong_CheckExact(value)) {
        return REFUSED;
    }
    int overflow;
    int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow) {
        return write_large_integer(coder, to, value, overflow < 0);
    }
    if (number < coder->lowest || number > coder->highest ||
        (coder->is_signed && put(to, number < 0, 1) < 0)) {
        return REFUSED;
    }
    return put_unsigned(to, (uint64_t)(number < 0 ? -(number + 1) : number));
}

static int
write_string(const Coder *coder, Writer *to, PyObject *value)
{
#if PY_VERSION_HEX < 0x030C0000
    if (!PyUnicode_CheckExact(value) || PyUnicode_READY(value) < 0) {
#else
    if (!PyUnicode_CheckExact(value)) {
#endif
        return REFUSED;
    }
    size_t length = (size_t)PyUnicode_GET_LENGTH(value);
    if (!length_fits(coder, length) || put_unsigned(to, (uint64_t)length + 2) < 0) {
        return REFUSED;
    }
    if (PyUnicode_IS_ASCII(value)) {
        return put_octets(to, PyUnicode_1BYTE_DATA(value), length);
    }
    for (size_t i = 0; i < length; i++) {
        Py_UCS4 point = PyUnicode_READ_CHAR(value, (Py_ssize_t)i);
        if (!is_character(point) || put_unsigned(to, point) < 0) {
            return REFUSED;
        }
    }
    return DONE;
}

static int
write_binary(const Coder *coder, Writer *to, PyObject *value)
{
    if (!PyBytes_CheckExact(value) || !length_fits(coder, (uint64_t)PyBytes_GET_SIZE(value)) ||
        put_unsigned(to, (uint64_t)PyBytes_GET_SIZE(value)) < 0) {
        return REFUSED;
    }
    return put_octets(to, (const uint8_t *)PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value));
}

static int
write_simple(const Coder *coder, Writer *to, PyObject *value)
{
    int64_t code;
    switch (coder->coding) {
    case FIXED:
        code = fixed_code(coder, value);
        return code < 0 ? REFUSED : put(to, (uint32_t)code, coder->width);
    case INTEGER:
        return write_integer(coder, to, value);
    case STRING:
        return write_string(coder, to, value);
    case BINARY:
        return write_binary(coder, to, value);
    }
    return REFUSED;
}

static int
write_element(const Coder *coder, Writer *to, PyObject *value)
{
    if (coder->coding == FIXED) {
        int64_t code = fixed_code(coder, value);
        return code < 0 ? REFUSED : put(to, (uint32_t)code << 1, coder->width + 2);
    }
    if (put(to, 0, 1) < 0 || write_simple(coder, to, value) < 0) {
        return REFUSED;
    }
    return put(to, 0, 1);
}


static void
coder_dealloc(PyObject *self)
{
    Coder *coder = (Coder *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(coder->values);
    Py_CLEAR(coder->minimum);
    Py_CLEAR(coder->maximum);
    type->tp_free(self);
    Py_DECREF(type);
}

static int
coder_traverse(PyObject *self, visitproc visit, void *arg)
{
    Coder *coder = (Coder *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(coder->values);
    return 0;
}

static PyType_Slot coder_slots[] = {
    {Py_tp_doc, "How one datatype is coded."},
    {Py_tp_dealloc, coder_dealloc},
    {Py_tp_traverse, coder_traverse},
    {0, NULL},
};

static PyType_Spec coder_spec = {
    .name = "plugpass.exi._engine.Coder",
    .basicsize = sizeof(Coder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = coder_slots,
};

#endif
