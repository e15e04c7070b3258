// Vercel's AI SDK: the same calls with each of its providers.
import { embedMany, generateText, isStepCount, jsonSchema, Output, streamText, tool } from 'ai'

const user = (content) => [{ role: 'user', content }]

// `provider(url)` gives `chat(model)` and `embedding(model)`; `thinking` is what its options call the wish to think.
export const callsOf = (provider, { thinking, embeds = true } = {}) => {
  const quiet = { maxRetries: 0 }
  const calls = {
    async chat({ url, models, said }) {
      const answer = await generateText({ ...quiet, model: provider(url).chat(models.sees), prompt: said.ask })
      return { text: answer.text, tokens: answer.usage.outputTokens }
    },

    async stream({ url, models, said }) {
      const pieces = []
      const request = { ...quiet, model: provider(url).chat(models.sees), prompt: said.ask, onError: fail }
      for await (const piece of streamText(request).textStream) pieces.push(piece)
      return { pieces: pieces.length, text: pieces.join('') }
    },

    async tools({ url, models, said }) {
      const { name, description, parameters } = said.tool.function
      let given
      const execute = async (input) => ((given = input), said.result)
      const tools = { [name]: tool({ description, inputSchema: jsonSchema(parameters), execute }) }
      const model = provider(url).chat(models.thinks)
      const answer = await generateText({ ...quiet, model, tools, prompt: said.ask_for_tool, stopWhen: isStepCount(2) })
      const [call] = answer.steps[0].toolCalls
      return { name: call.toolName, arguments: given, ended: answer.steps.length === 2 }
    },

    async structured({ url, models, said }) {
      const output = Output.object({ schema: jsonSchema(said.schema) })
      const model = provider(url).chat(models.sees)
      return (await generateText({ ...quiet, model, prompt: said.ask, output })).output
    },

    async image({ url, models, said }) {
      const file = { type: 'file', mediaType: 'image/png', data: said.png }
      const messages = user([{ type: 'text', text: 'What is this?' }, file])
      return { text: (await generateText({ ...quiet, model: provider(url).chat(models.sees), messages })).text }
    },

    async thinking({ url, models, said }) {
      const model = provider(url).chat(models.thinks)
      const answer = await generateText({ ...quiet, model, prompt: said.ask, providerOptions: thinking })
      return { thinking: answer.reasoningText, text: answer.text }
    },

    async leaving({ url, models, said }) {
      let pieces = 0
      const leave = new AbortController()
      const model = provider(url).chat(models.endless)
      const { textStream } = streamText({ ...quiet, model, prompt: said.ask, abortSignal: leave.signal, onError: fail })
      for await (const _ of textStream) {
        if (++pieces === 3) leave.abort()
      }
      return { pieces }
    },
  }
  if (embeds) {
    calls.embeddings = async ({ url, models }) => {
      const { embeddings } = await embedMany({ ...quiet, model: provider(url).embedding(models.embeds), values: ['one', 'two'] })
      return embeddings.map((vector) => vector.length)
    }
  }
  return calls
}

const fail = ({ error }) => {
  throw error
}
