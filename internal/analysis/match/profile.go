package match

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/schemacast/schemacast/internal/analysis/match/lexicon"
	"github.com/schemacast/schemacast/internal/schema"
)

// Profile is what the matcher knows about one field.
type Profile struct {
	Name     string
	Tokens   []Token
	Family   Family
	Semantic Semantic
	Shape    string // of the sample, empty without one; see Shape

	name        *text
	aliases     []*text
	description *text           // nil when there is none
	sense       *lexicon.Vector // of name and description together; nil when there is none
	values      *values         // nil when none are known
	labels      bool            // the name says that the values name the rows
	text, print fingerprint     // of names and description; of values, too
}

// ProfileOf profiles a field of a schema from all that is known of it.
func ProfileOf(f schema.Field) Profile {
	all, own := samplesOf(&f)
	p := profileOf(f, all)
	p.Shape = Shape(f.Sample)
	p.text.addText(&f, p.name.words)
	p.text.bound()
	// Its own memory: sorted in place, values would get among the words of the text.
	p.print = fingerprint{words: slices.Clip(p.text.words), grams: slices.Clip(p.text.grams)}
	p.print.addValues(all[:own])
	p.print.bound()
	return p
}

// profileOf is ProfileOf without what only the source side of a match needs.
func profileOf(f schema.Field, samples []sample) Profile {
	name := nameOf(f.Name)
	p := Profile{
		Name:        f.Name,
		Tokens:      name.tokens,
		Family:      FamilyOf(f.Type),
		Semantic:    semanticOf(f, name.tokens),
		name:        name.text,
		description: descriptionText(f.Description),
		values:      valuesOf(samples),
		labels:      labels(name.tokens),
	}
	for _, alias := range f.Aliases[:min(len(f.Aliases), maxAliases)] {
		p.aliases = append(p.aliases, nameOf(alias).text)
	}
	p.sense = senseOf(p.name, p.description)
	return p
}

func senseOf(name, description *text) *lexicon.Vector {
	if description == nil {
		return name.meaning
	}
	var sum lexicon.Vector
	sum.AddVector(name.meaning, 1)
	sum.AddVector(description.meaning, 0.5)
	return direction(sum)
}

// maxAliases of a field are compared.
const maxAliases = 8

// labels is about a name such as title, product_name or rdf-schema#label.
func labels(tokens []Token) bool {
	if len(tokens) == 0 {
		return false
	}
	head := tokens[len(tokens)-1].Concept
	return head == concepts["name"] || head == concepts["title"]
}

// ProfilesOf profiles a list of fields.
func ProfilesOf(fields []schema.Field) []Profile {
	profiles := make([]Profile, len(fields))
	for i, f := range fields {
		profiles[i] = ProfileOf(f)
	}
	return profiles
}

// Semantic is the meaning of a field, empty when nothing tells.
type Semantic string

// The meanings that are told apart.
const (
	SemanticEmail     Semantic = "email"
	SemanticPhone     Semantic = "phone"
	SemanticURL       Semantic = "url"
	SemanticUUID      Semantic = "uuid"
	SemanticIP        Semantic = "ip"
	SemanticLatitude  Semantic = "latitude"
	SemanticLongitude Semantic = "longitude"
	SemanticID        Semantic = "id"
	SemanticDate      Semantic = "date"
	SemanticMoney     Semantic = "money"
	SemanticPercent   Semantic = "percent"
	SemanticQuantity  Semantic = "quantity"
	SemanticCountry   Semantic = "country"
	SemanticCity      Semantic = "city"
	SemanticPostal    Semantic = "postal_code"
	SemanticName      Semantic = "name"
	SemanticFlag      Semantic = "flag"
)

// strong meanings name one thing so narrowly that two fields of the same meaning
// are candidates for each other whatever they are called.
func (s Semantic) strong() bool {
	switch s {
	case SemanticEmail, SemanticPhone, SemanticURL, SemanticUUID, SemanticIP,
		SemanticLatitude, SemanticLongitude, SemanticCountry, SemanticCity, SemanticPostal:
		return true
	default:
		return false
	}
}

// byWord maps words of names to meanings; the last word of a name that is listed
// decides, since names end in their noun.
var byWord = map[string]Semantic{
	"email": SemanticEmail, "mail": SemanticEmail,
	"phone": SemanticPhone, "telephone": SemanticPhone, "mobile": SemanticPhone, "fax": SemanticPhone,
	"url": SemanticURL, "link": SemanticURL, "href": SemanticURL, "website": SemanticURL, "uri": SemanticURL,
	"uuid": SemanticUUID, "ip": SemanticIP,
	"latitude": SemanticLatitude, "longitude": SemanticLongitude,
	"id": SemanticID, "key": SemanticID,
	"date": SemanticDate, "timestamp": SemanticDate, "datetime": SemanticDate,
	"price": SemanticMoney, "amount": SemanticMoney, "cost": SemanticMoney, "salary": SemanticMoney,
	"revenue": SemanticMoney, "balance": SemanticMoney, "fee": SemanticMoney, "tax": SemanticMoney,
	"percent": SemanticPercent, "ratio": SemanticPercent,
	"quantity": SemanticQuantity, "count": SemanticQuantity,
	"country": SemanticCountry, "nationality": SemanticCountry,
	"city": SemanticCity, "town": SemanticCity,
	"name": SemanticName, "surname": SemanticName,
}

func semanticOf(f schema.Field, tokens []Token) Semantic {
	if s := semanticOfType(f.Type, f.Format); s != "" {
		return s
	}
	family := FamilyOf(f.Type)
	for i := len(tokens) - 1; i >= 0; i-- {
		text := tokens[i].Text
		if text == "code" && i > 0 && tokens[i-1].Text == "postal" {
			return SemanticPostal
		}
		if s, ok := byWord[text]; ok && plausible(s, family) {
			return s
		}
	}
	switch family {
	case FamilyBool:
		return SemanticFlag
	case FamilyTime:
		return SemanticDate
	default:
		return semanticOfSample(f.Sample)
	}
}

func semanticOfType(typ, format string) Semantic {
	for _, word := range []string{typ, format} {
		switch strings.ToLower(word) {
		case "email":
			return SemanticEmail
		case "phone":
			return SemanticPhone
		case "url", "uri":
			return SemanticURL
		case "uuid":
			return SemanticUUID
		case "ipv4", "ipv6", "ip":
			return SemanticIP
		}
	}
	return ""
}

// plausible keeps a word from deciding against the type: email_count is no address,
// email_sent_at neither.
func plausible(s Semantic, family Family) bool {
	switch s {
	case SemanticEmail, SemanticURL, SemanticUUID, SemanticIP, SemanticCountry, SemanticCity, SemanticName:
		return family == FamilyText || family == FamilyUnknown
	case SemanticPhone:
		return family == FamilyText || family == FamilyUnknown || family == FamilyNumber
	case SemanticMoney, SemanticPercent, SemanticQuantity, SemanticLatitude, SemanticLongitude:
		return family == FamilyNumber || family == FamilyText || family == FamilyUnknown
	case SemanticDate:
		return family != FamilyBool
	default:
		return true
	}
}

func semanticOfSample(sample json.RawMessage) Semantic {
	text, ok := sampleText(sample)
	if !ok {
		return ""
	}
	switch at := strings.IndexByte(text, '@'); {
	case at > 0 && strings.Contains(text[at:], ".") && !strings.ContainsAny(text, " \t\n/"):
		return SemanticEmail
	case strings.HasPrefix(text, "http://"), strings.HasPrefix(text, "https://"):
		return SemanticURL
	}
	return ""
}
