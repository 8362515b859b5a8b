// Stands between a gateway and its database, and can cut the connection at the worst moments: when
// the server has committed and its answer is on the way ("unheard"), and when the gateway has asked
// it to and the server has not heard of it ("unsent"). To the gateway the two are the same.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

const COMMITTED = Buffer.from('COMMIT\0') // the server's CommandComplete
const COMMIT = Buffer.from('COMMIT') // a statement's text or name, as a client sends it

export class Proxy {
  static async start(socketPath) {
    const proxy = new Proxy()
    proxy.pairs = new Set()
    proxy.left = { unheard: 0, unsent: 0 }
    proxy.cuts = { unheard: 0, unsent: 0 }
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
    client.on('data', data => {
      if (this.isTime('unsent', data.includes(COMMIT))) cut()
      else if (!server.destroyed) server.write(data)
    })
    server.on('data', data => {
      if (this.isTime('unheard', data.includes(COMMITTED))) cut()
      else if (!client.destroyed) client.write(data)
    })
  }

  isTime(which, isCommit) {
    if (!isCommit || this.left[which] === 0) return false
    this.left[which]--
    this.cuts[which]++
    return true
  }

  // The next `count` commits go that way.
  cut(which, count) {
    this.left[which] += count
  }

  // What has not been cut by now is left alone.
  rest() {
    this.left = { unheard: 0, unsent: 0 }
  }

  async stop() {
    for (const { client, server } of this.pairs) {
      client.destroy()
      server.destroy()
    }
    this.server.close()
    await once(this.server, 'close')
  }
}
