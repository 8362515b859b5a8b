// Policies that loop, allocate without end, raise, or return nonsense: the turn is refused, other
// twins are served, and the gateway lives on.
import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { after, before, test } from 'node:test'
import { World, bin, run, until } from '../harness.mjs'

const policies = fileURLToPath(new URL('../../../policies', import.meta.url))

function policy(name, admit) {
  return `local decision = require "twin.decision"
return {
  name = "${name}", version = 1, settings = {},
  admit = function(request) if request.mode == nil then return decision.pass() end ${admit} end,
  meter = function() return decision.pass() end,
}
`
}

const bad = {
  loops: 'while true do end',
  recurses: 'local function f() return f() + 1 end return f()',
  allocates: 'local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end',
  raises: 'error("I do not feel like it")',
  nonsense: 'return 42',
  downgrades_up: 'return { action = "downgrade", mode = "smell" }',
}

let world, directory
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'twin-policies-'))
  await cp(policies, directory, { recursive: true })
  for (const [name, admit] of Object.entries(bad)) {
    await writeFile(join(directory, `${name}.lua`), policy(name, admit))
  }
  world = await World.start({ env: { TWIN_POLICY_DIR: directory } })
})
after(async () => {
  await world.stop()
  await rm(directory, { recursive: true })
})

for (const name of Object.keys(bad)) {
  test(`a policy that is bad, ${name}, refuses and harms nobody`, async () => {
    const twin = await world.twin(name.replaceAll('_', '-'), { policy: name })
    const calls = await world.calls()
    const answer = await world.turn(twin)
    assert.equal(answer.body.reason, 'policy_failed', JSON.stringify(answer.body))
    assert.equal(await world.calls(), calls)
    const good = await world.twin('good')
    assert.equal((await world.turn(good)).status, 200)
    assert.match(world.gateway.stderr, new RegExp(name))
  })
}

test('a policy that breaks while it is in use leaves the last good one', async () => {
  const file = join(directory, 'changes.lua')
  await writeFile(file, policy('changes', 'return decision.pass()'))
  const twin = await world.twin('changes', { policy: 'changes' })
  const first = (await world.turn(twin)).body.decision.policy_version
  await writeFile(file, 'this is not Lua')
  world.gateway.process.kill('SIGHUP')
  await until(() => /changes/.test(world.gateway.stderr), 'the log to name the policy')
  const second = await world.turn(twin)
  assert.equal(second.status, 200)
  assert.equal(second.body.decision.policy_version, first)
  assert.deepEqual(await world.audit(twin, 'POLICY_CHANGED'), [], 'nothing has changed')
  await writeFile(file, policy('changes', 'return decision.deny("closed_today")'))
  await until(async () => {
    world.gateway.process.kill('SIGHUP')
    return (await world.turn(twin)).body.reason === 'closed_today'
  }, 'the new policy')
  await world.turn(twin)
  const changes = async () => (await world.audit(twin, 'POLICY_CHANGED')).length > 0
  await until(changes, 'the change to be recorded')
  const [{ details }, ...others] = await world.audit(twin, 'POLICY_CHANGED')
  const [refused] = await world.audit(twin, 'TURN_REFUSED')
  assert.deepEqual(details, {
    policy: 'changes',
    from_version: first,
    to_version: refused.details.policy_version,
  })
  assert.notEqual(details.to_version, first)
  assert.deepEqual(others, [], 'once')
})

test('another policy in the place of one is no change of either', async () => {
  const twin = await world.twin('moves', { policy: 'default' })
  assert.equal((await world.turn(twin)).status, 200)
  await world.twin('moves', { policy: 'andres_cantor' })
  assert.equal((await world.turn(twin)).status, 200)
  assert.deepEqual(await world.audit(twin, 'POLICY_CHANGED'), [])
})

test('check names every bad policy and test runs the cases of the good ones', async () => {
  await mkdir(join(directory, 'only-bad'))
  await writeFile(join(directory, 'only-bad', 'syntax.lua'), 'return {')
  const env = { TWIN_POLICY_DIR: join(directory, 'only-bad') }
  const checked = await run(join(bin, 'twin-gateway'), ['policy', 'check'], { env })
  assert.equal(checked.code, 1)
  assert.match(checked.stderr + checked.stdout, /syntax\.lua:1/)
  const tested = await run(join(bin, 'twin-gateway'), ['policy', 'test'], {
    env: { TWIN_POLICY_DIR: policies },
  })
  assert.equal(tested.code, 0, tested.stdout + tested.stderr)
})
