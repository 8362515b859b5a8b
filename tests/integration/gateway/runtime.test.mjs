// What an operator sees of the actor machine while it works.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { World } from '../harness.mjs'

let world, twin
before(async () => {
  world = await World.start()
  twin = await world.twin('watched-one')
  assert.equal((await world.turn(twin)).status, 200)
})
after(() => world.stop())

test('the actors of a twin that works are listed with their workers', async () => {
  const { status, body } = await world.admin('GET', '/api/runtime')
  assert.equal(status, 200)
  assert.ok(body.workers.length >= 1)
  assert.ok(
    body.workers.some(worker => worker.is_running),
    'the one that answers this',
  )
  assert.ok(body.workers.reduce((sum, worker) => sum + worker.turns, 0) > 0)
  assert.ok(body.actors.alive > 0 && body.actors.spawned >= body.actors.alive)
  assert.equal(body.stalls, 0)
  const kinds = body.top.map(actor => actor.kind)
  for (const kind of ['admin', 'tenant']) assert.ok(kinds.includes(kind), `${kind} in ${kinds}`)
  assert.ok(body.top.length <= 20)
  assert.deepEqual(body.parked, { count: 0, last: [] })
})

test('refusals are told by lane and reason, here and in the metrics', async () => {
  const { body } = await world.admin('GET', '/api/runtime')
  const names = body.refusals.map(({ lane, reason }) => `${lane} ${reason}`)
  assert.deepEqual(names, ['data messages', 'data bytes', 'data dead', 'control dead'])
  assert.equal(body.refused, body.refusals[0].count + body.refusals[1].count)
  const metrics = (await world.request('GET', '/metrics')).body
  for (const { lane, reason } of body.refusals) {
    const sample = `twin_messages_refused_total{lane="${lane}",reason="${reason}"}`
    assert.match(metrics, new RegExp(`^${sample} \\d+$`, 'm'), sample)
  }
  for (const name of ['twin_dead_letters_total', 'twin_messages_parked_total']) {
    assert.match(metrics, new RegExp(`^${name} \\d+$`, 'm'), name)
  }
})

test('the trace of one actor shows its turns and no others', async () => {
  const { body } = await world.admin('GET', '/api/runtime')
  const admin = body.top.find(actor => actor.kind === 'admin').actor
  const trace = await world.admin('GET', `/api/runtime/trace?actor=${admin}`)
  assert.equal(trace.status, 200)
  assert.ok(trace.body.turns.length > 0)
  assert.ok(trace.body.turns.every(turn => turn.actor === admin && turn.kind === 'admin'))
  assert.equal(trace.body.turns.at(-1).is_running || trace.body.turns.some(t => t.is_running), true)
  const all = await world.admin('GET', '/api/runtime/trace')
  assert.ok(all.body.turns.length > trace.body.turns.length)
})

test('an actor that is no number is refused with what to do', async () => {
  const { status, body } = await world.admin('GET', '/api/runtime/trace?actor=me')
  assert.equal(status, 400)
  assert.match(body.detail, /actor must be an id/)
})

test('why lists what runs now, without its own answer', async () => {
  const { status, body } = await world.admin('GET', '/api/runtime/why')
  assert.equal(status, 200)
  assert.ok(Array.isArray(body.running))
  assert.ok(body.running.every(turn => turn.kind !== 'admin' && turn.is_running))
})
