// After warm-up a turn takes no memory from malloc: frames, JSON, scripts, holds and messages live on
// what the pools have. Counted in the workers of a real gateway, which is where actors run.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { World, bin } from '../harness.mjs'

const WARM_TURNS = 2000
const TURNS = 500
const WINDOWS = 20

let world
let directory
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'twin-count-'))
  await writeFile(join(directory, 'count'), Buffer.alloc(8))
  world = await World.start({
    env: {
      LD_PRELOAD: join(bin, 'libcount_malloc.so'),
      MALLOC_COUNT_FILE: join(directory, 'count'),
    },
  })
})
after(async () => {
  await world.stop()
  await rm(directory, { recursive: true })
})

async function calls() {
  const bytes = await readFile(join(directory, 'count'))
  return Number(bytes.readBigUInt64LE())
}

test('a turn takes nothing of its own from malloc', async () => {
  const twin = await world.twin('lean', {
    policy_config: {
      limits: { monthly_hard_limit_usd: '1000' },
      rate: { per_second: 1000000, burst: 1000000 },
    },
    providers: { text: 'null' },
  })
  const session = world.session(twin, { mode: 'text' })
  await session.started()
  async function turns(count) {
    for (let i = 0; i < count; i++) {
      const done = new Promise(resolve => {
        session.socket.on('message', function look(data) {
          if (!`${data}`.includes('"turn.done"')) return
          session.socket.off('message', look)
          resolve()
        })
      })
      session.turn(i, 'How is the match?')
      await done
      session.frames.length = 0
    }
  }
  await turns(WARM_TURNS)
  const before = await calls()
  assert.ok(before > 1000, `${before} calls were counted before: nothing is counted`)
  // One call in each turn would be five hundred of them in every window. What there is besides are
  // pools that still grow, in waves, as scripts' garbage and the store's batches come: on a loaded
  // machine they are close together, but between two of them a window has next to nothing.
  const taken = []
  do {
    const sofar = await calls()
    await turns(TURNS)
    taken.push((await calls()) - sofar)
  } while (taken.at(-1) >= TURNS / 10 && taken.length < WINDOWS)
  assert.ok(taken.at(-1) < TURNS / 10, `${taken} calls of malloc in ${TURNS} turns each`)
  await session.end()
})
