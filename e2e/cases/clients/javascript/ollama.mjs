// Ollama's own client.
import { Ollama } from 'ollama'

const at = (url) => new Ollama({ host: url })
const user = (content, more = {}) => [{ role: 'user', content, ...more }]

export const calls = {
  async chat({ url, models, said }) {
    const { message, eval_count } = await at(url).chat({ model: models.sees, messages: user(said.ask) })
    return { text: message.content, tokens: eval_count }
  },

  async stream({ url, models, said }) {
    const pieces = []
    for await (const part of await at(url).chat({ model: models.sees, messages: user(said.ask), stream: true })) {
      if (part.message.content) pieces.push(part.message.content)
    }
    return { pieces: pieces.length, text: pieces.join('') }
  },

  async tools({ url, models, said }) {
    const client = at(url)
    const messages = user(said.ask_for_tool)
    const first = await client.chat({ model: models.thinks, messages, tools: [said.tool] })
    const [call] = first.message.tool_calls ?? []
    messages.push(first.message, { role: 'tool', tool_name: call.function.name, content: said.result })
    const second = await client.chat({ model: models.thinks, messages, tools: [said.tool] })
    return { name: call.function.name, arguments: call.function.arguments, ended: second.done }
  },

  async structured({ url, models, said }) {
    const { message } = await at(url).chat({ model: models.sees, messages: user(said.ask), format: said.schema })
    return JSON.parse(message.content)
  },

  async embeddings({ url, models }) {
    const { embeddings } = await at(url).embed({ model: models.embeds, input: ['one', 'two'] })
    return embeddings.map((vector) => vector.length)
  },

  async image({ url, models, said }) {
    const messages = user('What is this?', { images: [said.png] })
    return { text: (await at(url).chat({ model: models.sees, messages })).message.content }
  },

  async thinking({ url, models, said }) {
    const { message } = await at(url).chat({ model: models.thinks, messages: user(said.ask), think: true })
    return { thinking: message.thinking, text: message.content }
  },

  async listing({ url }) {
    return (await at(url).list()).models.map((model) => model.name)
  },

  async leaving({ url, models, said }) {
    let pieces = 0
    const stream = await at(url).chat({ model: models.endless, messages: user(said.ask), stream: true })
    try {
      for await (const part of stream) {
        if (part.message.content && ++pieces === 3) stream.abort()
      }
    } catch (error) {
      if (error.name !== 'AbortError') throw error
    }
    return { pieces }
  },
}
