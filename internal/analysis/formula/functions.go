package formula

// deniedFunctions are refused by name, with the reason.
var deniedFunctions = map[string]string{
	"eval":    "it runs text as code",
	"random":  "its result is never the same",
	"shuffle": "its result is never the same",
	"now":     "its result is never the same",
	"millis":  "its result is never the same",
	"error":   "a mapping must not fail on purpose",
	"assert":  "a mapping must not fail on purpose",
	"reduce":  "it needs a function of one's own",
	"sift":    "it needs a function of one's own",
	"each":    "it needs a function of one's own",
	"single":  "it needs a function of one's own",
	// The implementations differ on these, and mappings can do without them.
	"append":       "engines differ on single elements; write [a, b], which joins lists",
	"filter":       "engines differ on single elements; write a predicate as in tags[$ != \"\"]",
	"spread":       "engines differ on empty lists; name the fields",
	"formatBase":   "engines round in different ways; use $string or $formatNumber",
	"parseInteger": "engines read in different ways; use $number, after $replace where there are separators",
}

// growth is how the size of a function's result follows from its arguments.
type growth uint8

const (
	growsNot     growth = iota // a number or boolean
	growsSame                  // at most the first argument
	growsSum                   // at most all arguments together, twice
	growsString                // the first argument as text
	growsCoded                 // three times the first argument, as text
	growsFormat                // a short text
	growsPad                   // $pad
	growsJoin                  // $join
	growsSplit                 // $split
	growsReplace               // $replace
	growsMatch                 // $match
	growsMap                   // $map, $filter: the second argument over the first
)

type function struct {
	growth  growth
	takes   []string // types of the arguments, see checkTypes
	most    int      // arguments
	regex   bool     // the second argument may be a regular expression
	picture bool     // the second argument is a picture, and must be a literal
	text    bool     // the result is one text
	// mappable functions may be handed to $map. One with an optional
	// second argument may not: other engines hand it the position.
	mappable bool
}

// functions are the known functions: those of JSONata 2.x less deniedFunctions.
// $flatten and $values are gnata's own, so that other engines would not run them.
var functions = map[string]function{
	"string":             {takes: []string{"x"}, growth: growsString, most: 1, text: true, mappable: true},
	"length":             {takes: []string{"s"}, growth: growsNot, most: 1, mappable: true},
	"substring":          {takes: []string{"s", "n", "n"}, growth: growsSame, most: 3, text: true},
	"substringBefore":    {takes: []string{"s", "s"}, growth: growsSame, most: 2, text: true},
	"substringAfter":     {takes: []string{"s", "s"}, growth: growsSame, most: 2, text: true},
	"uppercase":          {takes: []string{"s"}, growth: growsCoded, most: 1, text: true, mappable: true},
	"lowercase":          {takes: []string{"s"}, growth: growsCoded, most: 1, text: true, mappable: true},
	"trim":               {takes: []string{"s"}, growth: growsSame, most: 1, text: true, mappable: true},
	"pad":                {takes: []string{"s", "n", "s"}, growth: growsPad, most: 3, text: true},
	"contains":           {takes: []string{"s", "sf"}, growth: growsNot, most: 2, regex: true},
	"split":              {takes: []string{"s", "sf", "n"}, growth: growsSplit, most: 3, regex: true},
	"join":               {takes: []string{"as", "s"}, growth: growsJoin, most: 2, text: true},
	"match":              {takes: []string{"s", "f", "n"}, growth: growsMatch, most: 3, regex: true},
	"replace":            {takes: []string{"s", "sf", "s", "n"}, growth: growsReplace, most: 4, regex: true, text: true},
	"base64encode":       {takes: []string{"s"}, growth: growsCoded, most: 1, text: true, mappable: true},
	"base64decode":       {takes: []string{"s"}, growth: growsSame, most: 1, text: true, mappable: true},
	"encodeUrl":          {takes: []string{"s"}, growth: growsCoded, most: 1, text: true, mappable: true},
	"encodeUrlComponent": {takes: []string{"s"}, growth: growsCoded, most: 1, text: true, mappable: true},
	"decodeUrl":          {takes: []string{"s"}, growth: growsSame, most: 1, text: true, mappable: true},
	"decodeUrlComponent": {takes: []string{"s"}, growth: growsSame, most: 1, text: true, mappable: true},
	"formatNumber":       {takes: []string{"n", "s"}, growth: growsFormat, most: 2, picture: true, text: true},
	"formatInteger":      {takes: []string{"n", "s"}, growth: growsFormat, most: 2, picture: true, text: true},
	"fromMillis":         {takes: []string{"n", "s", "s"}, growth: growsFormat, most: 3, picture: true, text: true},
	"toMillis":           {takes: []string{"s", "s"}, growth: growsNot, most: 2, picture: true},
	"number":             {takes: []string{"nsb"}, growth: growsNot, most: 1, mappable: true},
	"abs":                {takes: []string{"n"}, growth: growsNot, most: 1, mappable: true},
	"floor":              {takes: []string{"n"}, growth: growsNot, most: 1, mappable: true},
	"ceil":               {takes: []string{"n"}, growth: growsNot, most: 1, mappable: true},
	"round":              {takes: []string{"n", "n"}, growth: growsNot, most: 2},
	"power":              {takes: []string{"n", "n"}, growth: growsNot, most: 2},
	"sqrt":               {takes: []string{"n"}, growth: growsNot, most: 1, mappable: true},
	"sum":                {takes: []string{"an"}, growth: growsNot, most: 1, mappable: true},
	"max":                {takes: []string{"an"}, growth: growsNot, most: 1, mappable: true},
	"min":                {takes: []string{"an"}, growth: growsNot, most: 1, mappable: true},
	"average":            {takes: []string{"an"}, growth: growsNot, most: 1, mappable: true},
	"count":              {takes: []string{"x"}, growth: growsNot, most: 1, mappable: true},
	"boolean":            {takes: []string{"x"}, growth: growsNot, most: 1, mappable: true},
	"not":                {takes: []string{"x"}, growth: growsNot, most: 1, mappable: true},
	"exists":             {takes: []string{"x"}, growth: growsNot, most: 1, mappable: true},
	"type":               {takes: []string{"x"}, growth: growsNot, most: 1, mappable: true},
	"zip":                {takes: []string{"x"}, growth: growsSum, most: 8},
	"reverse":            {takes: []string{"x"}, growth: growsSame, most: 1},
	"sort":               {takes: []string{"x"}, growth: growsSame, most: 1},
	"distinct":           {takes: []string{"x"}, growth: growsSame, most: 1},
	"keys":               {takes: []string{"x"}, growth: growsSame, most: 1},
	"lookup":             {takes: []string{"x", "s"}, growth: growsSame, most: 2},
	"merge":              {takes: []string{"ao"}, growth: growsSame, most: 1},
	"map":                {takes: []string{"x", "f"}, growth: growsMap, most: 2},
}
