// A gateway whose file descriptors run out: who is there is served, newcomers are dropped at once, the
// log has one line for it, and it is over when connections leave.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { World, until } from '../harness.mjs'

const SPARE = 20
const NEWCOMERS = 100

let world
before(async () => {
  world = await World.start({ env: { TWIN_WORKERS: '1' } })
})
after(() => world.stop())

function descriptors() {
  return readdirSync(`/proc/${world.gateway.pid}/fd`).length
}

// Over one connection that stays.
async function ask(agent, path = '/healthz') {
  const [answer] = await once(get(`${world.gateway.url}${path}`, { agent }), 'response')
  const { statusCode: status } = answer
  return { status, text: Buffer.concat(await answer.toArray()).toString() }
}

async function turnedAway(agent) {
  const { text } = await ask(agent, '/metrics')
  return Number(/^twin_connections_refused_total{reason="no_descriptor"} (\d+)$/m.exec(text)[1])
}

function shortages() {
  return world.gateway.stderr.split('server.fds_exhausted').length - 1
}

test('out of descriptors, it serves who is there, says so once, and recovers', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  assert.equal((await ask(agent)).status, 200)
  const limit = descriptors() + SPARE
  execFileSync('prlimit', [`--pid=${world.gateway.pid}`, `--nofile=${limit}:${limit}`])

  const { hostname, port } = new URL(world.gateway.url)
  let dropped = 0
  const newcomers = Array.from({ length: NEWCOMERS }, () => {
    const socket = connect({ host: hostname, port })
    socket.on('error', () => {})
    socket.once('close', () => {
      dropped++
    })
    return socket
  })
  await until(() => dropped >= NEWCOMERS - 2 * SPARE, 'those it has no room for to be dropped')
  await until(async () => (await turnedAway(agent)) === dropped, 'each of them to be counted')
  assert.equal((await ask(agent)).status, 200)
  assert.equal(shortages(), 1, world.gateway.stderr)

  newcomers.forEach(socket => socket.destroy())
  await until(() => descriptors() < limit - SPARE / 2, 'the others to leave')
  assert.equal((await world.request('GET', '/healthz')).status, 200)
  assert.equal((await ask(agent)).status, 200)
  assert.equal(shortages(), 1)
  agent.destroy()
})
