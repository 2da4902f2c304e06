/* The C engine of the EXI codec. It walks the tables that plugpass.exi.tables makes of the derived grammars, and means
 * what plugpass/exi/engine.py means, which is the reference.
 *
 * It has one answer to everything that does not fit: it refuses. A function here then fails without a Python exception,
 * and `Roots.decode` and `Roots.encode` give None. The caller asks the interpreter, which names the place and the
 * reason; so the texts of errors exist once, and both engines give the same ones. What is legal but rare is refused
 * as well, and left to the interpreter: a subclass of int, str or bytes as a value. A Python exception from here is
 * never a verdict on the input: memory ran out, or a table is malformed.
 *
 * Messages are frozen slotted dataclasses: an object is allocated, and its slots are filled and read by their offset.
 * No allocation is larger than what the facets of the type and the bits that remain allow. There is no mutable global.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "native/roots.h"

static Coder *
new_coder(PyObject *module, enum coding coding)
{
    PyTypeObject *type = ((ModuleState *)PyModule_GetState(module))->coder_type;
    Coder *coder = (Coder *)type->tp_alloc(type, 0);
    if (coder != NULL) {
        coder->coding = coding;
    }
    return coder;
}

/* The int64 nearest to an int. */
static int64_t
clamped(PyObject *number)
{
    int overflow;
    int64_t value = PyLong_AsLongLongAndOverflow(number, &overflow);
    return overflow < 0 ? INT64_MIN : overflow > 0 ? INT64_MAX : value;
}

/* fixed(values) */
static PyObject *
module_fixed(PyObject *module, PyObject *values)
{
    if (!PyTuple_CheckExact(values) || PyTuple_GET_SIZE(values) < 1 || PyTuple_GET_SIZE(values) > 1 << 20) {
        malformed("the values of a fixed width are a tuple");
        return NULL;
    }
    Coder *coder = new_coder(module, FIXED);
    if (coder == NULL) {
        return NULL;
    }
    Py_ssize_t last = PyTuple_GET_SIZE(values) - 1;
    coder->values = Py_NewRef(values);
    while (last >> coder->width) {
        coder->width++;
    }
    coder->numbers = PyLong_CheckExact(PyTuple_GET_ITEM(values, 0));
    if (coder->numbers) {
        PyObject *least = PyTuple_GET_ITEM(values, 0), *greatest = PyTuple_GET_ITEM(values, last);
        coder->lowest = clamped(least);
        coder->highest = PyLong_CheckExact(greatest) ? clamped(greatest) : INT64_MAX;
        if (coder->lowest == INT64_MIN || coder->highest == INT64_MAX || coder->highest - last != coder->lowest) {
            malformed("numbers of a fixed width are consecutive");
            Py_CLEAR(coder);
        }
    }
    return (PyObject *)coder;
}

/* integer(minimum, maximum, most) */
static PyObject *
module_integer(PyObject *module, PyObject *args)
{
    PyObject *minimum, *maximum;
    unsigned most;
    if (!PyArg_ParseTuple(args, "O!O!I:integer", &PyLong_Type, &minimum, &PyLong_Type, &maximum, &most)) {
        return NULL;
    }
    if (most > MOST_INTEGER_BITS) {
        malformed("an integer is too large");
        return NULL;
    }
    Coder *coder = new_coder(module, INTEGER);
    if (coder == NULL) {
        return NULL;
    }
    coder->minimum = Py_NewRef(minimum);
    coder->maximum = Py_NewRef(maximum);
    coder->most = most;
    coder->lowest = clamped(minimum);
    coder->highest = clamped(maximum);
    coder->is_signed = coder->lowest < 0;
    if (coder->lowest == INT64_MAX || coder->highest == INT64_MIN) {
        malformed("the bounds of an integer are beyond what is supported");
        Py_CLEAR(coder);
    }
    return (PyObject *)coder;
}

static PyObject *
new_lengths(PyObject *module, PyObject *args, enum coding coding)
{
    Py_ssize_t shortest, longest;
    unsigned most;
    if (!PyArg_ParseTuple(args, "nnI", &shortest, &longest, &most)) {
        return NULL;
    }
    if (shortest < 0 || longest < 0 || longest > 1 << 24 || most > 32) {
        malformed("no such length");
        return NULL;
    }
    Coder *coder = new_coder(module, coding);
    if (coder != NULL) {
        coder->shortest = (size_t)shortest;
        coder->longest = (size_t)longest;
        coder->most = most;
    }
    return (PyObject *)coder;
}

static PyObject *
module_string(PyObject *module, PyObject *args)
{
    return new_lengths(module, args, STRING);
}

static PyObject *
module_binary(PyObject *module, PyObject *args)
{
    return new_lengths(module, args, BINARY);
}

static PyMethodDef module_methods[] = {
    {"fixed", module_fixed, METH_O, "fixed(values): one of a list, coded as its number."},
    {"integer", module_integer, METH_VARARGS, "integer(minimum, maximum, most): seven bits at a time, `most` in all."},
    {"string", module_string, METH_VARARGS, "string(shortest, longest, most): a length of `most` bits, code points."},
    {"binary", module_binary, METH_VARARGS, "binary(shortest, longest, most): a length of `most` bits, octets."},
    {NULL, NULL, 0, NULL},
};

static int
add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **type)
{
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *type == NULL ? -1 : PyModule_AddType(module, *type);
}

static int
module_exec(PyObject *module)
{
    ModuleState *types = PyModule_GetState(module);
    if (add_type(module, &coder_spec, &types->coder_type) < 0 ||
        add_type(module, &grammar_spec, &types->grammar_type) < 0 ||
        add_type(module, &roots_spec, &types->roots_type) < 0) {
        return -1;
    }
    return 0;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    ModuleState *types = PyModule_GetState(module);
    Py_VISIT(types->coder_type);
    Py_VISIT(types->grammar_type);
    Py_VISIT(types->roots_type);
    return 0;
}

static int
module_clear(PyObject *module)
{
    ModuleState *types = PyModule_GetState(module);
    Py_CLEAR(types->coder_type);
    Py_CLEAR(types->grammar_type);
    Py_CLEAR(types->roots_type);
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "plugpass.exi._engine",
    .m_doc = "The C engine of the EXI codec.",
    .m_size = sizeof(ModuleState),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC
PyInit__engine(void)
{
    return PyModuleDef_Init(&module_definition);
}
