// The commands, as an operator types them, and curl as a client.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { World, bin, run } from '../harness.mjs'

let world
before(async () => {
  world = await World.start()
})
after(() => world.stop())

function gateway(args, options = {}) {
  const env = {
    TWIN_URL: world.gateway.url,
    TWIN_ADMIN_TOKEN: world.environment.TWIN_ADMIN_TOKEN,
    ...options.env,
  }
  return run(join(bin, 'twin-gateway'), args, { ...options, env })
}

test('a twin is made, shown, asked and removed from a shell', async () => {
  const put = await gateway(['tenant', 'put', 'shell'], { input: '{"display_name":"Shell"}' })
  assert.equal(put.code, 0, put.stderr)
  assert.match((await gateway(['tenant', 'list'])).stdout, /"shell"/)
  const key = JSON.parse((await gateway(['key', 'add', 'shell'])).stdout)
  assert.match(key.key, /^twk_[A-Za-z0-9_-]{43}$/)
  const curl = await run('curl', [
    '-sS',
    '--noproxy',
    '*',
    `${world.gateway.url}/v1/twins/shell/turns`,
    '-H',
    `Authorization: Bearer ${key.key}`,
    '-H',
    'Content-Type: application/json',
    '-d',
    '{"text":"hello"}',
  ])
  assert.equal(curl.code, 0, curl.stderr)
  const answer = JSON.parse(curl.stdout)
  assert.equal(answer.mode, 'text')
  assert.ok(answer.text.length > 0)
  assert.match((await gateway(['tenant', 'audit', 'shell'])).stdout, /BILLING_EVENT/)
  assert.match((await gateway(['tenant', 'balance', 'shell'])).stdout, /0\.010000000/)
  assert.equal((await gateway(['tenant', 'remove', 'shell'])).code, 0)
  const gone = await gateway(['tenant', 'show', 'shell'])
  assert.equal(gone.code, 1)
  assert.match(gone.stderr, /404|no such|not found/i)
})

test('every command has help, and mistakes are told with exit code 2', async () => {
  for (const args of [
    [],
    ['serve'],
    ['check'],
    ['migrate'],
    ['tenant'],
    ['key'],
    ['audit'],
    ['session'],
    ['policy'],
    ['evidence'],
  ]) {
    const help = await gateway([...args, '--help'])
    assert.equal(help.code, 0, args.join(' '))
    assert.match(help.stdout, /usage:/)
  }
  for (const args of [
    [],
    ['dance'],
    ['serve', '--nope'],
    ['tenant'],
    ['tenant', 'dance'],
    ['evidence', 'x'],
  ]) {
    const wrong = await gateway(args)
    assert.equal(wrong.code, 2, args.join(' '))
    assert.equal(wrong.stderr.trim().split('\n').length, 1, wrong.stderr)
  }
})

test('a token that is wrong, and a gateway that is not there, are one clear line', async () => {
  const wrong = await gateway(['tenant', 'list'], { env: { TWIN_ADMIN_TOKEN: 'nope' } })
  assert.equal(wrong.code, 1)
  const nobody = await gateway(['tenant', 'list'], { env: { TWIN_URL: 'http://127.0.0.1:9' } })
  assert.equal(nobody.code, 1)
  for (const { stderr } of [wrong, nobody])
    assert.equal(stderr.trim().split('\n').length, 1, stderr)
})

test('check reads the configuration, prints where values come from, and finds mistakes', async () => {
  const file = join(world.directory, 'config.lua')
  await writeFile(file, 'return { workers = 1, log = "debug" }')
  const env = { TWIN_LISTEN: '127.0.0.1:0' }
  const good = await gateway(['check', '--config', file, '--print'], { env })
  assert.equal(good.code, 0, good.stderr)
  assert.match(good.stdout, /workers/)
  assert.ok(!good.stdout.includes(world.environment.TWIN_ADMIN_TOKEN))
  await writeFile(file, 'return { workers = 0, colour = "red" }')
  const bad = await gateway(['check', '--config', file], { env })
  assert.equal(bad.code, 1)
  assert.match(bad.stderr, /workers/)
  assert.match(bad.stderr, /colour/)
  const unknown = await gateway(['check'], { env: { TWIN_COLOUR: 'red' } })
  assert.equal(unknown.code, 1)
  assert.match(unknown.stderr, /TWIN_COLOUR/)
})

test('a gateway whose port is taken, or whose key can be read by others, does not start', async () => {
  const port = new URL(world.gateway.url).port
  const env = {
    TWIN_LISTEN: `127.0.0.1:${port}`,
    TWIN_STORE: `sqlite:${join(world.directory, 'other.db')}`,
  }
  const taken = await run(join(bin, 'twin-gateway'), ['serve', '--dev'], {
    env: { ...world.environment, ...env },
    cwd: world.directory,
  })
  assert.equal(taken.code, 1)
  assert.match(taken.stderr, new RegExp(port))
  const open = join(world.directory, 'open.key')
  await writeFile(open, Buffer.alloc(32, 7), { mode: 0o644 })
  const readable = await run(join(bin, 'twin-gateway'), ['serve'], {
    env: { ...world.environment, TWIN_LISTEN: '127.0.0.1:0', TWIN_MASTER_KEY_FILE: open },
    cwd: world.directory,
  })
  assert.equal(readable.code, 1)
  assert.match(readable.stderr, /open\.key.*0600/s)
})

test('a second gateway over the same store does not start', async () => {
  const second = await run(join(bin, 'twin-gateway'), ['serve', '--dev'], {
    env: { ...world.environment, TWIN_LISTEN: '127.0.0.1:0' },
    cwd: world.directory,
  })
  assert.equal(second.code, 1)
  assert.match(second.stderr, /store/)
})

test('metrics tell of turns, and hold no key', async () => {
  const twin = await world.twin('measured')
  await world.turn(twin)
  const { body } = await world.request('GET', '/metrics')
  assert.match(body, /^# TYPE twin_turns_total counter$/m)
  assert.match(body, /^twin_turns_total\{action="pass",reason=""\} [1-9]/m)
  assert.match(body, /^twin_legs_total\{mode="text"\} [1-9]/m)
  assert.match(body, /^twin_spent_nanodollars_total\{mode="text"\} [1-9]/m)
  assert.match(body, /^twin_sessions \d+$/m)
  assert.ok(!body.includes(twin.key))
})

test('evidence shows the four claims', async () => {
  const shown = await gateway(['evidence', '--sim-url', world.simulator.url])
  assert.equal(shown.code, 0, shown.stdout + shown.stderr)
  for (const claim of ['EV-01', 'EV-02', 'EV-03', 'EV-04'])
    assert.match(shown.stdout, new RegExp(claim))
  const nobody = await gateway(['evidence', '--sim-url', 'http://127.0.0.1:9'])
  assert.equal(nobody.code, 1)
})
