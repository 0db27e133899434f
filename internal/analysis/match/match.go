// Package match finds, without any model, which canonical entities a schema may
// belong to and which of their fields its own fields may fill.
//
// A field is profiled into tokens, a type family and a meaning; the entities of a
// tenant are indexed once; a schema is then scored against the index. The rules
// know generic English of data (cust, dob, qty), no tenant's and no industry's
// vocabulary, and no values beyond one sample a field.
//
// Everything here is pure and deterministic: the same input gives the same scores
// and the same order, whatever the order of maps. Scores are absolute, from 0 to 1:
// they are never normalised over the candidates of one query, so that "none of
// these" can be told from "the best of these". It decides nothing; package analysis
// does.
package match
