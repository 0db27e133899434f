package formula

import "regexp"

var engineCodes = regexp.MustCompile(`\b[SDTU]\d{4}\b`)

// engineCode is the code in an error of the engine. The rest of its text quotes
// values.
func engineCode(err error) string {
	if code := engineCodes.FindString(err.Error()); code != "" {
		return code
	}
	return "no code"
}

// explain says what an engine's error means, without its text.
func explain(err error) string {
	code := engineCode(err)
	if meaning, ok := meanings[code]; ok {
		return meaning + " (" + code + ")"
	}
	return "the engine reports " + code
}

var meanings = map[string]string{
	"D1001": "a number is out of range",
	"D1002": "the value behind a minus is not a number",
	"D1004": "the regular expression of $replace matched nothing at all",
	"D1009": "an object has a key twice",
	"D3001": "a number is out of range, or a modulo by zero",
	"D3006": "a function lacks an argument",
	"D3010": "an argument of $replace, $pad or $append is empty or too large",
	"D3030": "$number got a text that is not a number; guard it, or convert the format first",
	"D3070": "$sort needs all numbers or all texts",
	"D3061": "$power lacks a number, or its result is out of range",
	"D3110": "$toMillis got a text that is not an ISO date; give it a picture",
	"D3136": "a picture lacks the year, month or hour, or the name of a month is not written as in January",
	"D3137": "a function can not use its argument, or engines would make different things of it, as of a time without a zone or a number of more than 15 digits",
	"T0410": "a function got an argument of a wrong type; wrap it in $string or $number, and guard against null",
	"T0411": "a function lacks an argument, or its context has a wrong type",
	"T0412": "a function got a list with elements of a wrong type",
	"T1003": "the key of an object is not a text",
	"T1006": "something that is no function is called",
	"T2001": "one side of an arithmetic operator is not a number; use $number",
	"T2002": "one side of an arithmetic operator is null; guard it",
	"T2009": "a number is compared with a text",
	"T2010": "something that is neither number nor text is compared",
}
