import { once } from 'node:events'
import { createServer } from 'node:http'

// A vendor that takes any key, and remembers it.
export class Vendor {
  constructor() {
    this.keys = []
    this.server = createServer((request, response) => {
      this.keys.push(request.headers.authorization)
      request.resume()
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.write('data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n')
      response.write(
        'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\n',
      )
      response.end('data: [DONE]\n\n')
    })
  }

  async listen() {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.url = `http://127.0.0.1:${this.server.address().port}`
    return this
  }
}
