package config

import (
	"fmt"
	"strings"
)

//go:generate go test -run ^TestDocuments$ -update .

// Markdown returns the documentation of all variables, one table for each group.
func Markdown() string {
	var b strings.Builder
	for _, group := range allNeeds {
		fmt.Fprintf(&b, "### %s\n\n| variable | default | meaning |\n|---|---|---|\n", group)
		for _, v := range table() {
			if v.group != group {
				continue
			}
			name, fallback := "`"+v.name+"`", ""
			if v.secret {
				name += " (or `" + v.name + "_FILE`)"
			}
			if v.documented != "" {
				fallback = "`" + v.documented + "`"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, fallback, strings.ReplaceAll(v.help, "|", `\|`))
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Example returns a .env file with every variable. What stands alone in it is enough
// for a start on one machine, but for the key of the model; the rest is commented
// out and shows the default.
func Example() string {
	var b strings.Builder
	b.WriteString("# Copy to .env. The same file serves the Laravel app: its names are its own.\n" +
		"# A flag wins over the environment, that over this file, that over the default.\n" +
		"# Each secret NAME can be read from a file instead: NAME_FILE=/run/secrets/name\n" +
		"# The hosts are the services of docker-compose.yml; without containers write 127.0.0.1.\n")
	for _, group := range allNeeds {
		fmt.Fprintf(&b, "\n# --- %s ---\n", group)
		for _, v := range table() {
			if v.group != group {
				continue
			}
			b.WriteString("\n" + wrap(v.help, "# ", 100))
			switch {
			case v.hasExample && !optionalExample[v.name]:
				fmt.Fprintf(&b, "%s=%s\n", v.name, v.example)
			case v.hasExample:
				fmt.Fprintf(&b, "# %s=%s\n", v.name, v.example)
			default:
				fmt.Fprintf(&b, "# %s=%s\n", v.name, v.fallback)
			}
			b.WriteString(afterwords[v.name])
		}
	}
	return b.String()
}

// optionalExample are examples that show a form and are not needed.
var optionalExample = map[string]bool{"BROADCAST_CHANNEL_TEMPLATES": true}

// afterwords follow a variable in .env.example where a sentence is not enough.
var afterwords = map[string]string{
	"BROADCAST_CHANNEL": `# The choice is who may listen:
#   public     tenant.{tenant_id}.schemas. The existing dashboard works unchanged. The app key is in
#              every browser, so whoever has it can listen to any tenant whose id is known.
#   private    private-tenant.{tenant_id}.schemas. The app admits each listener (routes/channels.php);
#              the dashboard says Echo.private(...) instead of Echo.channel(...).
#   encrypted  private-encrypted-tenant.{tenant_id}.schemas. As private, and the server itself can not
#              read an event. Needs BROADCAST_ENCRYPTION_KEY.
`,
	"OPENAI_MODEL": `# Examples:
#   OpenAI      OPENAI_API_KEY=sk-...
#   Azure       OPENAI_API_KEY=...  OPENAI_BASE_URL=https://RESOURCE.openai.azure.com/openai/v1
#               OPENAI_MODEL is the name of the deployment.
#   OpenRouter  OPENAI_API_KEY=sk-or-...  OPENAI_BASE_URL=https://openrouter.ai/api/v1
#               OPENAI_MODEL=openai/gpt-4.1-mini
#   Ollama      OPENAI_BASE_URL=http://host.docker.internal:11434/v1  OPENAI_MODEL=qwen3:8b
#               Start it with OLLAMA_CONTEXT_LENGTH=16384: it cuts longer prompts in silence.
#   llama.cpp   OPENAI_BASE_URL=http://host.docker.internal:8080/v1  OPENAI_MODEL=any
#               llama-server -m model.gguf --jinja -c 16384
# Without containers host.docker.internal is 127.0.0.1.
`,
}

// wrap breaks a text into lines of at most width characters.
func wrap(text, prefix string, width int) string {
	var b strings.Builder
	line := prefix
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word) > width && line != prefix {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = prefix
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}
