// Package match finds, without any model, which canonical entities a schema may
// belong to and which of their fields its own fields may fill.
//
// A field is profiled: the words of its name, what they mean, its type, its
// description, how its values are written. The entities of a tenant are indexed once.
// Retrieve picks entities by words and meaning and compares the best in full; Match
// compares the fields of a schema with those of one entity (comparison.go makes
// features of a pair, score.go weighs them); Assign gives each target one owner.
//
// It knows general words of data and of eleven scripts (package lexicon), and no
// tenant's and no industry's vocabulary. The weights are fitted to labelled sets, see
// bench/match.
//
// Everything here is pure and deterministic: the same input gives the same scores
// and the same order, whatever the order of maps. Scores are absolute, from 0 to 1,
// with 0.5 where a decision turns: that nothing fits can be told from "the best of
// these". It decides nothing; package analysis does.
package match
