/* The derived tables, made from the rows that plugpass.exi.tables gives. A malformed row is a TypeError. */
#ifndef PLUGPASS_EXI_GRAMMAR_H
#define PLUGPASS_EXI_GRAMMAR_H

#include "values.h"

#if PY_VERSION_HEX < 0x030C0000
#include <structmember.h>
#define Py_T_OBJECT_EX T_OBJECT_EX
#endif

#define MOST_FIELDS 64    /* of one class */
#define MOST_CODE_BITS 24 /* of an event code */

typedef struct {
    PyTypeObject *coder_type;
    PyTypeObject *grammar_type;
    PyTypeObject *roots_type;
} ModuleState;

enum kind { ATTRIBUTE, TEXT, SIMPLE, COMPLEX, END, UNUSABLE }; /* as plugpass.exi.grammar.Kind */

typedef struct State State;

typedef struct {
    enum kind kind;
    int field;             /* which one takes the value, -1 for none */
    int many;
    Py_ssize_t limit;      /* of a list: after this many, go on at `at_limit` */
    PyObject *value;       /* Coder, Grammar or NULL */
    const State *next;     /* NULL where nothing may follow */
    const State *at_limit;
} Production;

/* What a writer may choose: the production with event code `code`, for an object of `cls` (NULL: for any value). */
typedef struct {
    PyTypeObject *cls;
    unsigned code;
} Member;

typedef struct {
    int field; /* -1: the end of the element */
    int many;
    Member *members;
    Py_ssize_t member_count;
} Offer;

struct State {
    unsigned width; /* of an event code, in bits */
    Production *productions;
    Py_ssize_t production_count;
    Offer *offers;
    Py_ssize_t offer_count;
};

typedef struct {
    Py_ssize_t offset; /* of its slot in the object */
    int many;
    int required;
} Field;

/* The states of one class, the start first; asked for when first needed. */
typedef struct {
    PyObject_HEAD
    PyTypeObject *cls;
    PyObject *derive; /* callable that gives the rows of the states */
    Field *fields;
    Py_ssize_t field_count;
    State *states;
    Py_ssize_t state_count;
} Grammar;

static inline PyObject **
slot_of(PyObject *object, const Field *field)
{
    return (PyObject **)((char *)object + field->offset);
}

static int derive_states(Grammar *grammar);

static inline int
prepare(Grammar *grammar)
{
    return grammar->states != NULL ? DONE : derive_states(grammar);
}

/* ---- from rows -------------------------------------------------------------------------------------------------- */

static int
malformed(const char *what)
{
    PyErr_Format(PyExc_TypeError, "malformed EXI table: %s", what);
    return REFUSED;
}

static ModuleState *
state_of_type(PyTypeObject *type)
{
    return PyType_GetModuleState(type);
}

/* Where a slotted class keeps a field, from the descriptor of the slot. */
static Py_ssize_t
slot_offset(PyTypeObject *cls, const char *name)
{
    Py_ssize_t offset = -1;
    PyObject *descriptor = PyObject_GetAttrString((PyObject *)cls, name);
    if (descriptor == NULL) {
        return -1;
    }
    if (Py_IS_TYPE(descriptor, &PyMemberDescr_Type) && PyType_IsSubtype(cls, PyDescr_TYPE(descriptor)) &&
        ((PyMemberDescrObject *)descriptor)->d_member->type == Py_T_OBJECT_EX) {
        offset = ((PyMemberDescrObject *)descriptor)->d_member->offset;
    }
    else {
        PyErr_Format(PyExc_TypeError, "%s.%s is no slot", cls->tp_name, name);
    }
    Py_DECREF(descriptor);
    return offset;
}

/* (name, many, required) */
static int
parse_field(PyTypeObject *cls, PyObject *row, Field *field)
{
    const char *name;
    if (!PyArg_ParseTuple(row, "spp:field", &name, &field->many, &field->required)) {
        return REFUSED;
    }
    field->offset = slot_offset(cls, name);
    return field->offset < 0 ? REFUSED : DONE;
}

/* What a production holds must fit its kind. Takes a reference. */
static int
parse_value(const ModuleState *types, Production *production, PyObject *value)
{
    PyTypeObject *needed = production->kind == COMPLEX ? types->grammar_type : types->coder_type;
    if ((unsigned)production->kind > UNUSABLE) {
        return malformed("no such kind of production");
    }
    if (production->kind >= END) {
        return DONE;
    }
    if (!Py_IS_TYPE(value, needed)) {
        return malformed("a production needs a coder or a grammar");
    }
    production->value = Py_NewRef(value);
    return DONE;
}

static int
parse_next(const Grammar *grammar, Py_ssize_t number, const State **state)
{
    if (number >= grammar->state_count) {
        return malformed("no such state");
    }
    *state = number < 0 ? NULL : grammar->states + number;
    return DONE;
}

/* (kind, field, many, limit, value, next, at_limit) */
static int
parse_production(const Grammar *grammar, const ModuleState *types, PyObject *row, Production *production)
{
    PyObject *value;
    Py_ssize_t next, at_limit;
    int kind;
    if (!PyArg_ParseTuple(row, "iipnOnn:production", &kind, &production->field, &production->many, &production->limit,
                          &value, &next, &at_limit)) {
        return REFUSED;
    }
    production->kind = (enum kind)kind;
    if (production->field >= grammar->field_count || (production->field < 0 && kind < END)) {
        return malformed("no such field");
    }
    if (parse_next(grammar, next, &production->next) < 0 || parse_next(grammar, at_limit, &production->at_limit) < 0) {
        return REFUSED;
    }
    return parse_value(types, production, value);
}

/* (class or None, event code) */
static int
parse_member(const State *state, PyObject *row, Member *member)
{
    PyObject *cls;
    Py_ssize_t code;
    if (!PyArg_ParseTuple(row, "On:member", &cls, &code)) {
        return REFUSED;
    }
    if (code < 0 || code >= state->production_count || !(cls == Py_None || PyType_Check(cls))) {
        return malformed("no such member");
    }
    member->code = (unsigned)code;
    member->cls = cls == Py_None ? NULL : (PyTypeObject *)Py_NewRef(cls);
    return DONE;
}

/* Room for a row each, zeroed; NULL with an exception if they are no tuple of tuples. */
static void *
rows_of(PyObject *rows, size_t size, Py_ssize_t *count)
{
    int tuples = PyTuple_CheckExact(rows);
    for (Py_ssize_t i = 0; tuples && i < PyTuple_GET_SIZE(rows); i++) {
        tuples = PyTuple_CheckExact(PyTuple_GET_ITEM(rows, i));
    }
    if (!tuples) {
        malformed("rows are a tuple of tuples");
        return NULL;
    }
    void *array = PyMem_Calloc((size_t)PyTuple_GET_SIZE(rows) + 1, size);
    if (array == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *count = PyTuple_GET_SIZE(rows);
    return array;
}

/* (field, members) */
static int
parse_offer(const Grammar *grammar, const State *state, PyObject *row, Offer *offer)
{
    PyObject *members;
    if (!PyArg_ParseTuple(row, "iO:offer", &offer->field, &members)) {
        return REFUSED;
    }
    if (offer->field >= grammar->field_count) {
        return malformed("no such field");
    }
    offer->many = offer->field >= 0 && grammar->fields[offer->field].many;
    offer->members = rows_of(members, sizeof(Member), &offer->member_count);
    if (offer->members == NULL || offer->member_count == 0) {
        return offer->members == NULL ? REFUSED : malformed("an offer without members");
    }
    for (Py_ssize_t i = 0; i < offer->member_count; i++) {
        Member *member = offer->members + i;
        if (parse_member(state, PyTuple_GET_ITEM(members, i), member) < 0) {
            return REFUSED;
        }
        if (state->productions[member->code].field != offer->field) {
            return malformed("a member of another field");
        }
    }
    return DONE;
}

/* (width, productions, offers) */
static int
parse_state(const Grammar *grammar, const ModuleState *types, PyObject *row, State *state)
{
    PyObject *productions, *offers;
    if (!PyArg_ParseTuple(row, "IOO:state", &state->width, &productions, &offers)) {
        return REFUSED;
    }
    if (state->width > MOST_CODE_BITS) {
        return malformed("an event code is too wide");
    }
    state->productions = rows_of(productions, sizeof(Production), &state->production_count);
    if (state->productions == NULL) {
        return REFUSED;
    }
    for (Py_ssize_t i = 0; i < state->production_count; i++) {
        if (parse_production(grammar, types, PyTuple_GET_ITEM(productions, i), state->productions + i) < 0) {
            return REFUSED;
        }
    }
    state->offers = rows_of(offers, sizeof(Offer), &state->offer_count);
    if (state->offers == NULL) {
        return REFUSED;
    }
    for (Py_ssize_t i = 0; i < state->offer_count; i++) {
        if (parse_offer(grammar, state, PyTuple_GET_ITEM(offers, i), state->offers + i) < 0) {
            return REFUSED;
        }
    }
    return DONE;
}

static void
free_states(State *states, Py_ssize_t count)
{
    for (State *state = states; state < states + count; state++) {
        for (Production *each = state->productions; each < state->productions + state->production_count; each++) {
            Py_XDECREF(each->value);
        }
        for (Offer *offer = state->offers; offer < state->offers + state->offer_count; offer++) {
            for (Member *member = offer->members; member < offer->members + offer->member_count; member++) {
                Py_XDECREF(member->cls);
            }
            PyMem_Free(offer->members);
        }
        PyMem_Free(state->productions);
        PyMem_Free(state->offers);
    }
    PyMem_Free(states);
}

/* Ask for the rows, and keep them. Python code runs here: another thread may have been faster, which is fine. */
static int
derive_states(Grammar *grammar)
{
    PyObject *rows = PyObject_CallNoArgs(grammar->derive);
    if (rows == NULL) {
        return REFUSED;
    }
    Grammar made = *grammar;
    made.states = rows_of(rows, sizeof(State), &made.state_count);
    int result = made.states == NULL ? REFUSED : made.state_count == 0 ? malformed("no state") : DONE;
    for (Py_ssize_t i = 0; result == DONE && i < made.state_count; i++) {
        result = parse_state(&made, state_of_type(Py_TYPE(grammar)), PyTuple_GET_ITEM(rows, i), made.states + i);
    }
    Py_DECREF(rows);
    if (result == DONE && grammar->states == NULL) {
        grammar->states = made.states;
        grammar->state_count = made.state_count;
    }
    else if (made.states != NULL) {
        free_states(made.states, made.state_count);
    }
    return result;
}

/* ---- the type --------------------------------------------------------------------------------------------------- */

static PyObject *
grammar_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyTypeObject *cls;
    PyObject *rows, *derive;
    static char *names[] = {"cls", "fields", "derive", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!OO", names, &PyType_Type, &cls, &rows, &derive)) {
        return NULL;
    }
    if (cls->tp_new != PyBaseObject_Type.tp_new || cls->tp_alloc != PyType_GenericAlloc || cls->tp_itemsize != 0) {
        PyErr_Format(PyExc_TypeError, "%s is not made as a plain dataclass", cls->tp_name);
        return NULL;
    }
    Grammar *self = (Grammar *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->cls = (PyTypeObject *)Py_NewRef(cls);
    self->derive = Py_NewRef(derive);
    self->fields = rows_of(rows, sizeof(Field), &self->field_count);
    if (self->fields == NULL) {
        goto failed;
    }
    if (self->field_count > MOST_FIELDS) {
        malformed("too many fields");
        goto failed;
    }
    for (Py_ssize_t i = 0; i < self->field_count; i++) {
        if (parse_field(cls, PyTuple_GET_ITEM(rows, i), self->fields + i) < 0) {
            goto failed;
        }
    }
    return (PyObject *)self;
failed:
    Py_DECREF(self);
    return NULL;
}

static int
grammar_traverse(PyObject *self, visitproc visit, void *arg)
{
    Grammar *grammar = (Grammar *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(grammar->cls);
    Py_VISIT(grammar->derive);
    for (State *state = grammar->states; state < grammar->states + grammar->state_count; state++) {
        for (Production *each = state->productions; each < state->productions + state->production_count; each++) {
            Py_VISIT(each->value);
        }
        for (Offer *offer = state->offers; offer < state->offers + state->offer_count; offer++) {
            for (Member *member = offer->members; member < offer->members + offer->member_count; member++) {
                Py_VISIT(member->cls);
            }
        }
    }
    return 0;
}

static int
grammar_clear(PyObject *self)
{
    Grammar *grammar = (Grammar *)self;
    State *states = grammar->states;
    Py_ssize_t count = grammar->state_count;
    grammar->states = NULL;
    grammar->state_count = 0;
    free_states(states, count);
    Py_CLEAR(grammar->derive);
    return 0;
}

static void
grammar_dealloc(PyObject *self)
{
    Grammar *grammar = (Grammar *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    grammar_clear(self);
    Py_CLEAR(grammar->cls);
    PyMem_Free(grammar->fields);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot grammar_slots[] = {
    {Py_tp_doc, "Grammar(cls, fields, derive): the states of one class, derived when first needed."},
    {Py_tp_new, grammar_new},
    {Py_tp_dealloc, grammar_dealloc},
    {Py_tp_traverse, grammar_traverse},
    {Py_tp_clear, grammar_clear},
    {0, NULL},
};

static PyType_Spec grammar_spec = {
    .name = "plugpass.exi._engine.Grammar",
    .basicsize = sizeof(Grammar),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = grammar_slots,
};

#endif
