// The audit trail from outside: handed out as CloudEvents, verified live and from a file, and what
// was done to it found, in the file as in the database.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { World, bin, run, until } from '../harness.mjs'

const HEAD = 'dev.twingateway.audit.head.v1'
const CHECKPOINT = 'dev.twingateway.audit.checkpoint.v1'

let world, twin, exported
before(async () => {
  world = await World.start({ env: { TWIN_AUDIT_CHECKPOINT_S: '1' } })
  twin = await world.twin('cantor')
})
after(() => world.stop())

function gateway(args, options = {}) {
  const env = {
    TWIN_URL: world.gateway.url,
    TWIN_ADMIN_TOKEN: world.environment.TWIN_ADMIN_TOKEN,
  }
  return run(join(bin, 'twin-gateway'), args, { env, ...options })
}

async function turns(count) {
  for (let i = 0; i < count; i++) assert.equal((await world.turn(twin)).status, 200)
}

// One page, as events.
async function page(query = '') {
  const path = `/api/tenants/cantor/audit?format=cloudevents${query}`
  const answer = await world.admin('GET', path)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-type'), 'application/x-ndjson')
  assert.match(answer.body, /\n$/)
  return answer.body
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
}

// So many checkpoints, and none to come: the last one stands behind the last entry.
async function signed(count) {
  return until(async () => {
    const events = await page('&limit=1000')
    const checkpoints = events.filter(event => event.type === CHECKPOINT)
    return checkpoints.length >= count && events.at(-2) === checkpoints.at(-1) && events
  }, `${count} checkpoints`)
}

test('a trail is handed out as CloudEvents, with checkpoints and its head', async () => {
  await turns(2)
  await signed(1)
  await turns(2)
  const events = await signed(2)
  for (const event of events) {
    assert.equal(event.specversion, '1.0')
    assert.equal(event.source, '/tenants/cantor')
    assert.match(event.type, /^dev\.twingateway\.[a-z_.]+\.v1$/)
    assert.match(event.sequence, /^[0-9]+$/)
    assert.match(event.chain, /^[0-9a-f]{64}$/)
    assert.equal(typeof event.data, 'object')
  }
  assert.equal(new Set(events.map(event => event.id)).size, events.length)
  assert.equal(events.at(-1).type, HEAD)
  const posted = events.filter(event => event.type === 'dev.twingateway.usage.posted.v1')
  const listed = await world.audit(twin, 'BILLING_EVENT')
  assert.deepEqual(
    posted.map(({ id, time, data }) => [id, time, data.cost_amount]),
    listed.map(({ id, at, cost_amount }) => [id, at, cost_amount]),
  )
  assert.equal(posted.length, 4)
})

test('pages of any size make up the same trail', async () => {
  const whole = await page('&limit=1000')
  for (const limit of [1, 2, 3]) {
    const events = []
    while (events.at(-1)?.type !== HEAD) {
      const after = events.at(-1)?.sequence ?? 0
      const more = await page(`&limit=${limit}&after=${after}`)
      assert.ok(more.filter(event => event.time !== undefined).length <= 2 * limit)
      events.push(...more)
    }
    assert.deepEqual(events, whole)
  }
})

test('a format that is none, and part of a trail, are refused', async () => {
  for (const query of [
    'format=xml',
    'format=cloudevents&session_id=ses_1',
    'format=json&limit=0',
  ]) {
    const answer = await world.admin('GET', `/api/tenants/cantor/audit?${query}`)
    assert.equal(answer.status, 400, query)
  }
})

test('a whole trail verifies, live and from a file', async () => {
  await writeFile(join(world.directory, 'empty.jsonl'), '')
  const live = await gateway(['audit', 'verify', 'cantor'])
  assert.equal(live.code, 0, live.stderr)
  assert.match(live.stdout, /^cantor: whole: \d+ entries, \d+ checkpoints\n {2}key/)
  const all = await gateway(['audit', 'verify'])
  assert.equal(all.code, 0, all.stderr)
  assert.match(all.stdout, /^cantor: whole/m)
  const file = join(world.directory, 'cantor.jsonl')
  const written = await gateway(['audit', 'export', 'cantor'])
  assert.equal(written.code, 0, written.stderr)
  await writeFile(file, written.stdout)
  exported = written.stdout.trimEnd().split('\n')
  const key = (await gateway(['audit', 'key'])).stdout.trim()
  const anchor = /anchor (\S+)/.exec(live.stdout)[1]
  const nowhere = { env: { TWIN_URL: 'http://127.0.0.1:1' } }
  const args = ['audit', 'verify', '--file', file, '--key', key, '--anchor', anchor]
  const offline = await gateway(args, nowhere)
  assert.equal(offline.code, 0, offline.stderr)
  const piped = await gateway(['audit', 'verify', '--file', '-'], { input: written.stdout })
  assert.equal(piped.code, 0, piped.stderr)
  assert.ok(piped.stdout.includes(key), 'who signed is shown')
})

// What verifying this file says.
async function offline(lines, more = []) {
  const file = join(world.directory, 'tampered.jsonl')
  await writeFile(file, lines.length === 0 ? '' : lines.join('\n') + '\n')
  return gateway(['audit', 'verify', '--file', file, ...more])
}

test('a file that was tampered with is broken, and it is said where', async () => {
  const at = exported.findIndex(line => line.includes('usage.posted'))
  const id = JSON.parse(exported[at]).id
  const swapped = [...exported]
  ;[swapped[at], swapped[at + 1]] = [swapped[at + 1], swapped[at]]
  const cases = [
    [exported.with(at, exported[at].replace('"0.01', '"0.00')), `entry ${id} .*was changed`],
    [exported.toSpliced(at, 1), 'does not follow|were taken out'],
    [swapped, 'does not follow|were taken out'],
    [exported.slice(0, -1), 'ends without its head: it was cut off'],
    [exported.toSpliced(-2, 1), 'its end was cut off|checkpoints were taken out'],
    [exported.slice(1), 'does not follow from its beginning|begins at 0, and what is there at 1'],
    [[...exported, exported[0]], 'stands behind the head'],
    [['{"specversion":"1.0"}'], 'line 1 is no event'],
    [['not JSON'], 'line 1 is not a JSON object'],
    [[], 'nothing to verify'],
  ]
  for (const [lines, said] of cases) {
    const { code, stderr, stdout } = await offline(lines)
    assert.equal(code, 1, said)
    assert.equal(stdout, '')
    assert.match(stderr, new RegExp(said))
    assert.match(stderr, /^twin-gateway: [^\n]*broken: [^\n]*\n$/)
  }
  const other = await offline(exported, ['--key', 'a'.repeat(64)])
  assert.equal(other.code, 1)
  assert.match(other.stderr, /signed with another key/)
  const anchor = await offline(exported, ['--anchor', `999999:${'a'.repeat(64)}`])
  assert.equal(anchor.code, 1)
  assert.match(anchor.stderr, /has no entry 999999 with the anchor's chain/)
})

test('what cannot be read, and misuse, are told', async () => {
  const gone = await gateway(['audit', 'verify', '--file', '/nowhere/trail'])
  assert.equal(gone.code, 1)
  assert.match(gone.stderr, /\/nowhere\/trail: No such file/)
  const closed = await gateway(['audit', 'verify', 'cantor', '--url', 'http://127.0.0.1:1'])
  assert.equal(closed.code, 1)
  for (const args of [
    [],
    ['export'],
    ['verify', 'a', 'b'],
    ['verify', '--file', 'x', '--key', 'short'],
    ['verify', 'cantor', '--anchor', '5'],
    ['verify', '--anchor', `5:${'a'.repeat(64)}`],
    ['key', 'cantor'],
  ]) {
    const { code, stderr } = await gateway(['audit', ...args])
    assert.equal(code, 2, args.join(' '))
    assert.match(stderr, /--help\n$/)
  }
})

// Changes the database behind the gateway's back, and resolves with what verify says then. The file
// is put back.
async function tamper(sql) {
  const path = join(world.directory, 'var/twin.db')
  await world.gateway.stop()
  const kept = await readFile(path)
  const done = await run('sqlite3', [path, sql])
  assert.equal(done.code, 0, done.stderr)
  await world.startGateway()
  const result = await gateway(['audit', 'verify', 'cantor'])
  await world.gateway.stop()
  await writeFile(path, kept)
  await world.startGateway()
  return result
}

test('a database that was tampered with is broken, and it is said where', async () => {
  const changing = 'DROP TRIGGER vito_audit_logs_update;'
  const removing = 'DROP TRIGGER vito_audit_logs_delete;'
  const last = '(SELECT max(seq) FROM vito_audit_logs WHERE tenant_id = "cantor")'
  const legs = "SELECT seq FROM vito_audit_logs WHERE event = 'BILLING_EVENT' ORDER BY seq"
  const cases = [
    [
      `${changing} UPDATE vito_audit_logs SET cost_amount_nusd = 1 WHERE seq = (${legs} LIMIT 1)`,
      /entry leg_\S+ .* does not follow from .*: it was changed/,
    ],
    [
      `${removing} DELETE FROM vito_audit_logs WHERE seq = (${legs} LIMIT 1)`,
      /does not follow from|were taken out/,
    ],
    [
      `${changing} CREATE TEMP TABLE two AS ${legs} LIMIT 2;
       UPDATE vito_audit_logs SET seq = -seq WHERE seq IN (SELECT seq FROM two);
       UPDATE vito_audit_logs SET seq = seq + (SELECT sum(seq) FROM two) WHERE seq < 0`,
      /does not follow from|were taken out/,
    ],
    [
      `${removing} DELETE FROM vito_audit_logs WHERE seq = ${last};
       UPDATE vito_audit_heads SET (seq, chain) = (SELECT seq, chain FROM vito_audit_logs
         WHERE seq = ${last})`,
      /a checkpoint at \d+, and the last entry before it is|checkpoints were taken out/,
    ],
    [
      `DROP TRIGGER vito_audit_checkpoints_update;
       UPDATE vito_audit_checkpoints SET chain = zeroblob(32)`,
      /checkpoint at \d+ has no valid signature/,
    ],
  ]
  for (const [sql, said] of cases) {
    const { code, stderr } = await tamper(sql)
    assert.equal(code, 1, sql)
    assert.match(stderr, said)
  }
  const { code, stderr } = await gateway(['audit', 'verify', 'cantor'])
  assert.equal(code, 0, stderr)
})

test('records are not changed or removed by mistake', async () => {
  const path = join(world.directory, 'var/twin.db')
  for (const sql of [
    'UPDATE vito_audit_logs SET at_ms = 1',
    'DELETE FROM vito_audit_logs',
    'DELETE FROM vito_audit_checkpoints',
    `UPDATE vito_audit_heads SET seq = 1000000, pruned_seq =
       (SELECT max(seq) + 1 FROM vito_audit_checkpoints)`,
  ]) {
    const { code, stderr } = await run('sqlite3', [path, sql])
    assert.notEqual(code, 0, sql)
    assert.match(stderr, /append-only|up to a checkpoint/)
  }
})

test('a trail outlives its twin, and the key a change of the master key', async () => {
  const before = (await gateway(['audit', 'key'])).stdout
  const rotated = await gateway(['secret', 'rotate-master'])
  assert.equal(rotated.code, 0, rotated.stderr)
  assert.equal((await gateway(['audit', 'key'])).stdout, before)
  assert.equal((await world.admin('DELETE', '/api/tenants/cantor')).status, 200)
  const { code, stderr } = await gateway(['audit', 'verify', 'cantor'])
  assert.equal(code, 0, stderr)
})

test('what operators do is in the trail, with who did it, and never a value', async () => {
  const other = await world.twin('managed', { policy: 'default' })
  await world.admin('PUT', '/api/tenants/managed', {
    policy_config: { limits: { monthly_hard_limit_usd: '2.50' } },
  })
  const secret = 'sk-canary-for-the-audit-trail'
  const path = '/api/tenants/managed'
  await world.admin('PUT', `${path}/secrets/openai.api_key`, { value: secret })
  await world.admin('DELETE', `${path}/secrets/openai.api_key`)
  await world.admin('POST', `${path}/secrets/rotate`)
  const session = world.session(other)
  const { session_id } = await session.started()
  assert.equal((await world.admin('POST', `/api/sessions/${session_id}/terminate`)).status, 202)
  await session.frame('session.ended')
  await world.admin('DELETE', `${path}/keys/${other.keyId}`)
  await world.admin('DELETE', `${path}/keys/key_nobody`)
  await world.admin('DELETE', path)
  const entries = await world.audit(other)
  const acts = entries.filter(entry => entry.event !== 'BILLING_EVENT')
  assert.deepEqual(
    acts.map(entry => entry.event),
    [
      'TENANT_PUT',
      'KEY_ADDED',
      'TENANT_PUT',
      'SECRET_PUT',
      'SECRET_REMOVED',
      'TENANT_KEY_ROTATED',
      'SESSION_TERMINATED',
      'KEY_REMOVED',
      'TENANT_REMOVED',
    ],
  )
  for (const act of acts) assert.equal(act.details.caller, 'operator', act.event)
  assert.equal(acts[0].details.policy, 'default')
  assert.equal(acts[2].details.monthly_hard_limit_usd, '2.500000000')
  assert.notEqual(acts[0].details.document_blake2b, acts[2].details.document_blake2b)
  assert.equal(acts[1].details.key, other.keyId)
  assert.equal(acts[7].details.key, other.keyId)
  assert.equal(acts[6].session_id, session_id)
  const text = JSON.stringify(entries)
  assert.ok(!text.includes(secret) && !text.includes(other.key))
})

test('a flood of refusals is counted, not recorded one by one', async () => {
  const victim = await world.twin('victim')
  const stranger = await world.twin('stranger')
  const path = '/v1/twins/victim/tickets'
  for (let i = 0; i < 60; i++) {
    assert.equal((await world.request('POST', path, { key: stranger.key })).status, 403)
  }
  const told = await world.audit(victim, 'ACCESS_REFUSED')
  assert.equal(told.length, 20)
  assert.equal(told[0].details.caller, stranger.keyId)
  const counted = await until(
    async () => {
      const entries = await world.audit(victim, 'ACCESS_REFUSED')
      return entries.length > 20 && entries[20]
    },
    'the end of the minute',
    90000,
  )
  assert.equal(counted.details.count, 40)
})
