// Stands between a gateway and its database, and can cut the connection at the worst moment: when
// the server has committed and its answer is on the way.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

const COMMITTED = Buffer.from('COMMIT\0') // the server's CommandComplete

export class Proxy {
  static async start(socketPath) {
    const proxy = new Proxy()
    proxy.pairs = new Set()
    proxy.cutsLeft = 0
    proxy.cuts = 0
    proxy.server = createServer(client => proxy.join(client, connect(socketPath)))
    proxy.server.listen(0, '127.0.0.1')
    await once(proxy.server, 'listening')
    proxy.port = proxy.server.address().port
    return proxy
  }

  join(client, server) {
    const pair = { client, server }
    const cut = () => {
      client.destroy()
      server.destroy()
      this.pairs.delete(pair)
    }
    this.pairs.add(pair)
    for (const socket of [client, server]) socket.on('error', cut).on('close', cut)
    client.on('data', data => server.write(data))
    server.on('data', data => {
      if (this.cutsLeft > 0 && data.includes(COMMITTED)) {
        this.cutsLeft--
        this.cuts++
        cut()
      } else if (!client.destroyed) {
        client.write(data)
      }
    })
  }

  // The next `count` commits are never heard of.
  cutAfterCommit(count) {
    this.cutsLeft += count
  }

  cutAll() {
    for (const { client, server } of this.pairs) {
      client.destroy()
      server.destroy()
    }
    this.pairs.clear()
  }

  async stop() {
    this.cutAll()
    this.server.close()
    await once(this.server, 'close')
  }
}
