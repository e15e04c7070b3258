// OpenAI's own client: chat completions, and the responses that its newer programs ask for.
import OpenAI from 'openai'

const at = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })
const user = (content) => [{ role: 'user', content }]

export const calls = {
  async chat({ url, models, said }) {
    const answer = await at(url).chat.completions.create({ model: models.sees, messages: user(said.ask) })
    return { text: answer.choices[0].message.content, tokens: answer.usage.completion_tokens }
  },

  async responses({ url, models, said }) {
    const answer = await at(url).responses.create({ model: models.sees, input: said.ask })
    return { text: answer.output_text, tokens: answer.usage.output_tokens }
  },

  async stream({ url, models, said }) {
    const pieces = []
    const stream = at(url).chat.completions.stream({ model: models.sees, messages: user(said.ask) })
    stream.on('content', (delta) => pieces.push(delta))
    return { text: await stream.finalContent(), pieces: pieces.length }
  },

  async tools({ url, models, said }) {
    const client = at(url)
    const messages = user(said.ask_for_tool)
    const request = { model: models.thinks, messages, tools: [said.tool] }
    const { message } = (await client.chat.completions.create(request)).choices[0]
    const [call] = message.tool_calls ?? []
    messages.push(message, { role: 'tool', tool_call_id: call.id, content: said.result })
    const second = await client.chat.completions.create(request)
    return {
      name: call.function.name,
      arguments: JSON.parse(call.function.arguments),
      ended: second.choices[0].finish_reason !== null,
    }
  },

  async structured({ url, models, said }) {
    const format = { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema: said.schema } }
    const request = { model: models.sees, messages: user(said.ask), response_format: format }
    return (await at(url).chat.completions.parse(request)).choices[0].message.parsed
  },

  async embeddings({ url, models }) {
    // Asks for base64, which is what the client does by itself.
    const { data } = await at(url).embeddings.create({ model: models.embeds, input: ['one', 'two'] })
    return data.map((one) => one.embedding.length)
  },

  async image({ url, models, said }) {
    const content = [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${said.png}` } },
    ]
    const answer = await at(url).chat.completions.create({ model: models.sees, messages: user(content) })
    return { text: answer.choices[0].message.content }
  },

  async thinking({ url, models, said }) {
    const request = { model: models.thinks, messages: user(said.ask), reasoning_effort: 'high' }
    const { message } = (await at(url).chat.completions.create(request)).choices[0]
    return { thinking: message.reasoning, text: message.content }
  },

  async listing({ url }) {
    const names = []
    for await (const model of at(url).models.list()) names.push(model.id)
    return names
  },

  async leaving({ url, models, said }) {
    let pieces = 0
    const request = { model: models.endless, messages: user(said.ask), stream: true }
    for await (const chunk of await at(url).chat.completions.create(request)) {
      if (chunk.choices[0]?.delta?.content && ++pieces === 3) break
    }
    return { pieces }
  },
}
