// Anthropic's own client.
import Anthropic from '@anthropic-ai/sdk'

const at = (url) => new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 })
const user = (content) => [{ role: 'user', content }]
const text = (message) => message.content.filter((block) => block.type === 'text').map((block) => block.text).join('')

export const calls = {
  async chat({ url, models, said }) {
    const request = { model: models.sees, max_tokens: 100, messages: user(said.ask), system: 'Be brief' }
    const message = await at(url).messages.create(request)
    return { text: text(message), tokens: message.usage.output_tokens }
  },

  async stream({ url, models, said }) {
    let pieces = 0
    const stream = at(url).messages.stream({ model: models.sees, max_tokens: 100, messages: user(said.ask) })
    stream.on('text', () => pieces++)
    return { text: text(await stream.finalMessage()), pieces }
  },

  async tools({ url, models, said }) {
    const client = at(url)
    const { name, description, parameters } = said.tool.function
    const messages = user(said.ask_for_tool)
    const tools = [{ name, description, input_schema: parameters }]
    const request = { model: models.thinks, max_tokens: 500, messages, tools }
    const first = await client.messages.create(request)
    const call = first.content.find((block) => block.type === 'tool_use')
    messages.push({ role: 'assistant', content: first.content })
    messages.push(...user([{ type: 'tool_result', tool_use_id: call.id, content: said.result }]))
    const second = await client.messages.create(request)
    return { name: call.name, arguments: call.input, ended: second.stop_reason !== null }
  },

  async image({ url, models, said }) {
    const source = { type: 'base64', media_type: 'image/png', data: said.png }
    const messages = user([{ type: 'image', source }, { type: 'text', text: 'What is this?' }])
    return { text: text(await at(url).messages.create({ model: models.sees, max_tokens: 50, messages })) }
  },

  async thinking({ url, models, said }) {
    const thinking = { type: 'enabled', budget_tokens: 1024 }
    const request = { model: models.thinks, max_tokens: 2000, messages: user(said.ask), thinking }
    const message = await at(url).messages.create(request)
    return { thinking: message.content.find((block) => block.type === 'thinking')?.thinking, text: text(message) }
  },

  async listing({ url }) {
    const names = []
    for await (const model of at(url).models.list()) names.push(model.id)
    return names
  },

  async leaving({ url, models, said }) {
    let pieces = 0
    const request = { model: models.endless, max_tokens: 4000, messages: user(said.ask) }
    for await (const event of at(url).messages.stream(request)) {
      if (event.type === 'content_block_delta' && ++pieces === 3) break
    }
    return { pieces }
  },
}
