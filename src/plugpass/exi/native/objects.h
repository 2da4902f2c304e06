/* Message objects from bits and to bits, along the states of their classes. */
#ifndef PLUGPASS_EXI_OBJECTS_H
#define PLUGPASS_EXI_OBJECTS_H

#include "grammar.h"

static PyObject *read_object(Grammar *grammar, Reader *from, unsigned depth);

static inline PyObject *
read_value(const Production *production, Reader *from, unsigned depth)
{
    switch (production->kind) {
    case COMPLEX:
        return read_object((Grammar *)production->value, from, depth + 1);
    case SIMPLE:
        return read_element((const Coder *)production->value, from);
    case ATTRIBUTE:
    case TEXT:
        return read_simple((const Coder *)production->value, from);
    case END:
    case UNUSABLE:
        break;
    }
    return NULL;
}

/* Put a value (the reference is taken over) into its slot; the state to go on with. A repeated field is a list until
 * the object is complete. */
static const State *
store(const Production *production, PyObject **slot, PyObject *value)
{
    if (!production->many) {
        Py_XSETREF(*slot, value);
        return production->next;
    }
    if (*slot == NULL) {
        *slot = PyList_New(0);
    }
    int failed = *slot == NULL || PyList_Append(*slot, value) < 0;
    Py_DECREF(value);
    if (failed) {
        return NULL;
    }
    return PyList_GET_SIZE(*slot) >= production->limit ? production->at_limit : production->next;
}

/* Every slot gets its final value: a tuple for a list, None for what is absent. Refused if something needed is. */
static int
complete(const Grammar *grammar, PyObject *object)
{
    for (const Field *field = grammar->fields; field < grammar->fields + grammar->field_count; field++) {
        PyObject **slot = slot_of(object, field);
        if (field->many) {
            PyObject *items = *slot == NULL ? PyTuple_New(0) : PyList_AsTuple(*slot);
            if (items == NULL) {
                return REFUSED;
            }
            Py_XSETREF(*slot, items);
        }
        else if (*slot == NULL) {
            if (field->required) {
                return REFUSED;
            }
            *slot = Py_NewRef(Py_None);
        }
    }
    return DONE;
}

/* The content of an element up to its end. */
static PyObject *
read_object(Grammar *grammar, Reader *from, unsigned depth)
{
    if (depth > from->max_depth || prepare(grammar) < 0) {
        return NULL;
    }
    PyObject *object = grammar->cls->tp_alloc(grammar->cls, 0);
    if (object == NULL) {
        return NULL;
    }
    int tracked = PyType_IS_GC(grammar->cls);
    if (tracked) {
        PyObject_GC_UnTrack(object); /* nobody finds it before it is complete */
    }
    for (const State *state = grammar->states; state != NULL;) {
        uint32_t code;
        if (take(from, state->width, &code) < 0 || code >= (size_t)state->production_count) {
            break;
        }
        const Production *production = state->productions + code;
        if (production->kind == END) {
            if (complete(grammar, object) < 0) {
                break;
            }
            if (tracked) {
                PyObject_GC_Track(object);
            }
            return object;
        }
        PyObject *value = read_value(production, from, depth);
        if (value == NULL) {
            break;
        }
        state = store(production, slot_of(object, grammar->fields + production->field), value);
    }
    Py_DECREF(object);
    return NULL;
}

static int write_object(Grammar *grammar, Writer *to, PyObject *object, unsigned depth);

static int
write_value(const Production *production, Writer *to, PyObject *value, unsigned depth)
{
    switch (production->kind) {
    case COMPLEX:
        return write_object((Grammar *)production->value, to, value, depth + 1);
    case SIMPLE:
        return write_element((const Coder *)production->value, to, value);
    case ATTRIBUTE:
    case TEXT:
        return write_simple((const Coder *)production->value, to, value);
    case END:
    case UNUSABLE:
        break;
    }
    return REFUSED;
}

/* How many values a field has; REFUSED if a list is no tuple, or the slot is empty. */
static inline Py_ssize_t
values_of(PyObject *value, int many)
{
    if (value == NULL || (many && !PyTuple_CheckExact(value))) {
        return REFUSED;
    }
    return many ? PyTuple_GET_SIZE(value) : value != Py_None;
}

/* The first field on offer that has a value left, with that value (a new reference; NULL for the end). */
static const Offer *
next_offer(const Grammar *grammar, const State *state, PyObject *object, const Py_ssize_t *taken, PyObject **item)
{
    for (const Offer *offer = state->offers; offer < state->offers + state->offer_count; offer++) {
        *item = NULL;
        if (offer->field < 0) {
            return offer;
        }
        PyObject *value = *slot_of(object, grammar->fields + offer->field);
        Py_ssize_t count = values_of(value, offer->many);
        if (count < 0) {
            return NULL;
        }
        if (taken[offer->field] < count) {
            *item = Py_NewRef(offer->many ? PyTuple_GET_ITEM(value, taken[offer->field]) : value);
            return offer;
        }
    }
    return NULL;
}

static const Member *
member_for(const Offer *offer, PyObject *item)
{
    for (const Member *member = offer->members; member < offer->members + offer->member_count; member++) {
        if (member->cls == NULL || member->cls == Py_TYPE(item)) {
            return member;
        }
    }
    return NULL;
}

/* Whether everything needed was there, and everything there was taken. */
static int
all_taken(const Grammar *grammar, PyObject *object, const Py_ssize_t *taken)
{
    for (Py_ssize_t index = 0; index < grammar->field_count; index++) {
        const Field *field = grammar->fields + index;
        PyObject *value = *slot_of(object, field);
        if (values_of(value, field->many) != taken[index] || (value == Py_None && field->required)) {
            return REFUSED;
        }
    }
    return DONE;
}

/* The content of an element and its end. */
static int
write_object(Grammar *grammar, Writer *to, PyObject *object, unsigned depth)
{
    if (depth > to->max_depth || Py_TYPE(object) != grammar->cls || prepare(grammar) < 0) {
        return REFUSED;
    }
    Py_ssize_t taken[MOST_FIELDS];
    memset(taken, 0, (size_t)grammar->field_count * sizeof *taken);
    for (const State *state = grammar->states; state != NULL;) {
        PyObject *item;
        const Offer *offer = next_offer(grammar, state, object, taken, &item);
        if (offer == NULL) {
            return REFUSED;
        }
        if (item == NULL) {
            return put(to, offer->members->code, state->width) < 0 ? REFUSED : all_taken(grammar, object, taken);
        }
        const Member *member = member_for(offer, item);
        const Production *production = member == NULL ? NULL : state->productions + member->code;
        int failed = production == NULL || put(to, member->code, state->width) < 0 ||
                     write_value(production, to, item, depth) < 0;
        Py_DECREF(item);
        if (failed) {
            return REFUSED;
        }
        int full = ++taken[offer->field] >= production->limit;
        state = production->many && full ? production->at_limit : production->next;
    }
    return REFUSED;
}

#endif
