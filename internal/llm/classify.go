package llm

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
)

// failure is a failed request with what to do about it.
type failure struct {
	*analysis.ModelError
	// again says that the same request may work in a moment.
	again bool
	// lacks is a feature of the request that the server refuses.
	lacks feature
	// cut says that the answer did not end before the limit of output tokens.
	cut bool
	// unusable says that an answer came which is worth asking for once more, and form that
	// it is not in the asked form, as from a server that does not enforce it.
	unusable, form bool
	// late says that the request's own timeout ended it.
	late bool
}

// classify makes a failure of everything that can go wrong with a request, except
// our own cancellation. Its texts are all written here: what a server says may
// hold the key, the prompt or the answer.
func classify(ex *exchange, err error, now time.Time) failure {
	var payload *payloadError
	switch {
	case ex.status == 0:
		return classifyNoResponse(ex, err)
	case ex.status == http.StatusOK && errors.As(err, &payload):
		return classifyPayload(ex, payload, now)
	case ex.status == http.StatusOK:
		return failed(ex, analysis.ModelUnavailable, "the connection broke while the answer was read").repeatable()
	case ex.status < http.StatusBadRequest:
		return failed(ex, analysis.ModelConfig,
			"the server redirects or sends no answer; set OPENAI_BASE_URL to the final address of the API")
	}
	return classifyStatus(ex, ex.status, parseErrorInfo(ex.raw), now)
}

// classifyNoResponse is about requests that were not sent or not answered.
func classifyNoResponse(ex *exchange, err error) failure {
	cause := err
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		cause = wrapped.Err // without the address
	}
	var f failure
	switch {
	case !ex.sent:
		// go-openai checks names of models itself and knows some that have no chat.
		return failed(ex, analysis.ModelConfig, "the client library refuses the request for this model; check OPENAI_MODEL")
	case certificateError(err):
		f = failed(ex, analysis.ModelConfig, "the server's certificate is not trusted; check OPENAI_BASE_URL and the system's certificates")
	case errors.Is(err, http.ErrSchemeMismatch):
		f = failed(ex, analysis.ModelConfig, "the server speaks http, not https; check OPENAI_BASE_URL")
	case nameError(err):
		f = failed(ex, analysis.ModelUnavailable, "the server's name can not be resolved; check OPENAI_BASE_URL and the DNS").repeatable()
	default:
		f = failed(ex, analysis.ModelUnavailable, "the connection to the server failed or broke").repeatable()
	}
	f.Err = cause
	return f
}

// timedOut is a request that was ended by its own timeout, at whatever point. It is
// not repeated here: the tokens were probably billed.
func timedOut(ex *exchange, timeout time.Duration) failure {
	f := failed(ex, analysis.ModelUnavailable, "no complete answer within "+timeout.String())
	f.late = true
	return f
}

func classifyPayload(ex *exchange, payload *payloadError, now time.Time) failure {
	switch {
	case payload.large:
		return failed(ex, analysis.ModelBadAnswer, payload.Error())
	case payload.silent: // the same question would be met with the same silence
		return failed(ex, analysis.ModelRefused, "the server gave no answer to choose from, as content filters do")
	}
	// Gateways such as OpenRouter put the status of the model behind them inside.
	if info := parseErrorInfo(ex.raw); info.status != 0 || info.code != "" {
		status := info.status
		if status == 0 {
			status = http.StatusBadGateway
		}
		return classifyStatus(ex, status, info, now)
	}
	return failed(ex, analysis.ModelUnavailable, payload.Error()).repeatable()
}

// classifyStatus decides by status, then by what the server says.
func classifyStatus(ex *exchange, status int, info errorInfo, now time.Time) failure {
	f := byStatus(ex, status, &info)
	f.Code = info.code
	if f.Kind == analysis.ModelRateLimited || f.Kind == analysis.ModelUnavailable {
		f.RetryAfter = retryAfter(ex.header, now)
		if f.RetryAfter == 0 {
			f.RetryAfter = info.retryAfter
		}
	}
	return f
}

func byStatus(ex *exchange, status int, info *errorInfo) failure {
	switch {
	case status == http.StatusTooManyRequests && outOfMoney(info), status == http.StatusPaymentRequired:
		return failed(ex, analysis.ModelQuota, "the account has no credit left; check its billing")
	case status == http.StatusTooManyRequests:
		return failed(ex, analysis.ModelRateLimited, "too many requests or tokens a minute").repeatable()
	case status == http.StatusRequestEntityTooLarge:
		return failed(ex, analysis.ModelTooLarge, "the server takes no request of this size")
	case status == http.StatusUnauthorized:
		return failed(ex, analysis.ModelConfig, "the server does not accept the key; check OPENAI_API_KEY")
	case status == http.StatusForbidden:
		return forbidden(ex, info)
	case status == http.StatusBadRequest, status == http.StatusNotFound, status == http.StatusUnsupportedMediaType,
		status == http.StatusUnprocessableEntity, status == http.StatusNotImplemented:
		return refusedRequest(ex, status, info)
	case status == http.StatusInternalServerError && info.mentions("--jinja"): // llama.cpp, about tools
		f := failed(ex, analysis.ModelConfig, "the server refuses every form of answers; choose another model or server")
		f.lacks = featureForm
		return f
	case status >= http.StatusInternalServerError, transient(status):
		return failed(ex, analysis.ModelUnavailable, "the server has a problem of its own").repeatable()
	}
	return failed(ex, analysis.ModelConfig, "the server refuses the request; check OPENAI_BASE_URL and OPENAI_MODEL")
}

// transient lists the statuses below 500 that say "try again": timeout, conflict,
// too early, and Groq's "capacity exceeded".
func transient(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusConflict || status == http.StatusTooEarly || status == 498
}

// outOfMoney tells the 429 that waiting cures from the one that money cures.
func outOfMoney(info *errorInfo) bool {
	for _, word := range []string{"insufficient_quota", "credit", "billing", "spend_limit", "usage_limit"} {
		if info.coded(word) {
			return true
		}
	}
	return false
}

func forbidden(ex *exchange, info *errorInfo) failure {
	switch {
	case info.mentions("spend limit", "spend_limit", "credit", "billing"):
		return failed(ex, analysis.ModelQuota, "the account has reached its spending limit; check its billing")
	case info.mentions("moderation", "guardrail", "content_filter", "flagged"):
		return failed(ex, analysis.ModelRefused, "the provider's content filter refused the question")
	}
	return failed(ex, analysis.ModelConfig, "the key may not use this model; check OPENAI_API_KEY and OPENAI_MODEL")
}

// refusedRequest is about statuses that can mean anything, so the words decide.
func refusedRequest(ex *exchange, status int, info *errorInfo) failure {
	switch {
	case info.mentions("context_length", "context length", "context window", "context size", "exceed_context",
		"prompt is too long", "too many tokens"):
		return failed(ex, analysis.ModelTooLarge, "the question and the answer do not fit into the model's context")
	case info.mentions("content_filter", "content management policy", "content_policy"):
		return failed(ex, analysis.ModelRefused, "the provider's content filter refused the question")
	case info.mentions("json_validate_failed"):
		return unusable(failed(ex, analysis.ModelBadAnswer, "the model did not keep to the asked JSON"))
	case formFeature(info) != featureNone:
		f := failed(ex, analysis.ModelConfig, "the server refuses every form of answers; choose another model or server")
		f.lacks = formFeature(info)
		return f
	case info.mentions("could not finish the message"): // OpenAI's word for thoughts that took all of the limit
		return cutOff(ex, "")
	case info.mentions("max_completion_tokens"):
		f := failed(ex, analysis.ModelConfig, "the server refuses the limit of output tokens; lower it")
		f.lacks = featureMaxTokens
		return f
	case info.mentions("max_tokens"):
		return failed(ex, analysis.ModelConfig, "the server refuses the limit of output tokens; lower it")
	case info.mentions("temperature"):
		f := failed(ex, analysis.ModelConfig, "the server refuses a request without a temperature")
		f.lacks = featureTemperature
		return f
	case status == http.StatusNotFound:
		return failed(ex, analysis.ModelConfig, "the server knows no such model or address; check OPENAI_MODEL and OPENAI_BASE_URL")
	}
	return failed(ex, analysis.ModelConfig, "the server refuses the request; check OPENAI_MODEL and OPENAI_BASE_URL")
}

// formFeature finds out what a server does not like about the form in which an answer is
// asked for. The more exact words come first.
func formFeature(info *errorInfo) feature {
	switch {
	case info.mentions("invalid schema", "invalid_function_parameters", "is not permitted", "pattern must", "failed to parse grammar",
		"additionalproperties", "nesting", "too many properties"):
		return featureKeywords
	case strictWord.MatchString(info.text), strings.HasSuffix(info.param, "strict"):
		return featureStrict
	case info.mentions("response_format", "response format", "json_schema", "json schema", "json_object",
		"structured output", "structured_output",
		"tool_choice", "tool choice", "tools", "tool use", "tool call", "function call", "functions",
		"requested parameters"): // OpenRouter, when no provider has them
		return featureForm
	}
	return featureNone
}

// strictWord is the word alone: an account may be restricted.
var strictWord = regexp.MustCompile(`\bstrict\b`)

// checkReply finds out whether an answer came at all. The order is that of the
// certainty: how it ended, whether it was refused, whether there is text.
func checkReply(ex *exchange, r *reply) failure {
	switch {
	case r.finish == "length":
		return cutOff(ex, r.content)
	case r.finish == "content_filter":
		return failed(ex, analysis.ModelRefused, "the provider's content filter stopped the answer")
	case r.refused, refusesInWords(r.content):
		return failed(ex, analysis.ModelRefused, "the model refused to answer")
	case r.finish == "error":
		return failed(ex, analysis.ModelUnavailable, "the answer ended with an error of the server").repeatable()
	case !slices.Contains([]string{"stop", "tool_calls", "function_call", ""}, r.finish):
		// Without a word on the end the JSON decides: a cut answer never closes.
		return failed(ex, analysis.ModelBadAnswer, "the answer ended for an unknown reason")
	case r.content == "":
		return unusable(failed(ex, analysis.ModelBadAnswer, "the answer is empty"))
	}
	return failure{}
}

// cutOff is an answer that did not end before the limit of output tokens. With more
// room a loop would only be longer.
func cutOff(ex *exchange, content string) failure {
	if loops(content) {
		return failed(ex, analysis.ModelBadAnswer, "the model repeats itself without end; choose a more capable one")
	}
	f := failed(ex, analysis.ModelBadAnswer, "the answer was cut off at the limit of output tokens; choose a model that needs fewer of them")
	f.cut = true
	return f
}

func failed(ex *exchange, kind analysis.ModelErrorKind, detail string) failure {
	return failure{ModelError: &analysis.ModelError{Kind: kind, Status: ex.status, Detail: detail}}
}

func unusable(f failure) failure {
	f.unusable, f.form = true, true
	return f
}

func (f failure) repeatable() failure {
	f.again = true
	return f
}

func certificateError(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host)
}

func nameError(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns)
}
