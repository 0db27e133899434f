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
	most    int  // arguments
	regex   bool // the second argument may be a regular expression
	picture bool // the second argument is a picture, and must be a literal
	text    bool // the result is one text
	// mappable functions may be handed to $map and $filter. One with an optional
	// second argument may not: other engines hand it the position.
	mappable bool
}

// functions are the known functions: those of JSONata 2.x less deniedFunctions.
// $flatten and $values are gnata's own, so that other engines would not run them.
var functions = map[string]function{
	"string":             {growth: growsString, most: 1, text: true, mappable: true},
	"length":             {growth: growsNot, most: 1, mappable: true},
	"substring":          {growth: growsSame, most: 3, text: true},
	"substringBefore":    {growth: growsSame, most: 2, text: true},
	"substringAfter":     {growth: growsSame, most: 2, text: true},
	"uppercase":          {growth: growsCoded, most: 1, text: true, mappable: true},
	"lowercase":          {growth: growsCoded, most: 1, text: true, mappable: true},
	"trim":               {growth: growsSame, most: 1, text: true, mappable: true},
	"pad":                {growth: growsPad, most: 3, text: true},
	"contains":           {growth: growsNot, most: 2, regex: true},
	"split":              {growth: growsSplit, most: 3, regex: true},
	"join":               {growth: growsJoin, most: 2, text: true},
	"match":              {growth: growsMatch, most: 3, regex: true},
	"replace":            {growth: growsReplace, most: 4, regex: true, text: true},
	"base64encode":       {growth: growsCoded, most: 1, text: true, mappable: true},
	"base64decode":       {growth: growsSame, most: 1, text: true, mappable: true},
	"encodeUrl":          {growth: growsCoded, most: 1, text: true, mappable: true},
	"encodeUrlComponent": {growth: growsCoded, most: 1, text: true, mappable: true},
	"decodeUrl":          {growth: growsSame, most: 1, text: true, mappable: true},
	"decodeUrlComponent": {growth: growsSame, most: 1, text: true, mappable: true},
	"formatNumber":       {growth: growsFormat, most: 2, picture: true, text: true},
	"formatInteger":      {growth: growsFormat, most: 2, picture: true, text: true},
	"formatBase":         {growth: growsFormat, most: 2, text: true},
	"parseInteger":       {growth: growsNot, most: 2, picture: true},
	"fromMillis":         {growth: growsFormat, most: 3, picture: true, text: true},
	"toMillis":           {growth: growsNot, most: 2, picture: true},
	"number":             {growth: growsNot, most: 1, mappable: true},
	"abs":                {growth: growsNot, most: 1, mappable: true},
	"floor":              {growth: growsNot, most: 1, mappable: true},
	"ceil":               {growth: growsNot, most: 1, mappable: true},
	"round":              {growth: growsNot, most: 2},
	"power":              {growth: growsNot, most: 2},
	"sqrt":               {growth: growsNot, most: 1, mappable: true},
	"sum":                {growth: growsNot, most: 1, mappable: true},
	"max":                {growth: growsNot, most: 1, mappable: true},
	"min":                {growth: growsNot, most: 1, mappable: true},
	"average":            {growth: growsNot, most: 1, mappable: true},
	"count":              {growth: growsNot, most: 1, mappable: true},
	"boolean":            {growth: growsNot, most: 1, mappable: true},
	"not":                {growth: growsNot, most: 1, mappable: true},
	"exists":             {growth: growsNot, most: 1, mappable: true},
	"type":               {growth: growsNot, most: 1, mappable: true},
	"append":             {growth: growsSum, most: 2},
	"zip":                {growth: growsSum, most: 8},
	"reverse":            {growth: growsSame, most: 1},
	"sort":               {growth: growsSame, most: 1},
	"distinct":           {growth: growsSame, most: 1},
	"keys":               {growth: growsSame, most: 1},
	"lookup":             {growth: growsSame, most: 2},
	"merge":              {growth: growsSame, most: 1},
	"spread":             {growth: growsSum, most: 1},
	"map":                {growth: growsMap, most: 2},
	"filter":             {growth: growsMap, most: 2},
}
