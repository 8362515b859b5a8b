// One tenant's key opens nothing of another's, whatever is done to the rows of either store: those
// that were swapped, copied, renamed, put back or changed by a bit are refused, and nobody is called.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startShared, stopShared } from '../cluster.mjs'
import { World, run, until } from '../harness.mjs'
import { Vendor } from '../key_vendor.mjs'

const RICH = {
  policy_config: {
    limits: { monthly_hard_limit_usd: '1000' },
    rate: { per_second: 10000, burst: 10000 },
  },
}

const NAME = 'openai.api_key'

// The two tables of a store, read and written as rows of texts; blobs in hex.
const STORES = {
  sqlite: {
    keys: 'vito_tenant_keys',
    secrets: 'vito_secrets',
    hex: 'hex(blob)',
    bytes: hex => `x'${hex}'`,
    start: options => World.start(options),
    stop: world => world.stop(),
    async sql(world, text) {
      const args = ['-batch', 'var/twin.db', text]
      const { code, stdout, stderr } = await run('sqlite3', args, { cwd: world.directory })
      assert.equal(code, 0, stderr)
      return stdout.split('\n').filter(line => line !== '')
    },
  },
  postgres: {
    keys: 'vito.tenant_keys',
    secrets: 'vito.secrets',
    hex: "encode(blob, 'hex')",
    bytes: hex => `decode('${hex}', 'hex')`,
    start: startShared,
    stop: stopShared,
    sql: async (world, text) => world.cluster.query(text),
  },
}

const flip = hex => (parseInt(hex[60], 16) ^ 1).toString(16)

for (const [name, store] of Object.entries(STORES))
  test(`what was sealed for one tenant opens for no other: ${name}`, async () => {
    const vendor = await new Vendor().listen()
    const world = await store.start({ env: { TWIN_VENDOR_BASE_OPENAI: vendor.url } })
    const twins = {}
    const put = (id, value, secret = NAME) =>
      world.admin('PUT', `/api/tenants/${id}/secrets/${secret}`, { value, providers: ['openai'] })
    const sql = text => store.sql(world, text)

    const columns = `version, ${store.hex}`
    const key = async id => {
      const rows = await sql(`SELECT ${columns} FROM ${store.keys} WHERE tenant_id = '${id}'`)
      const [version, hex] = rows[0].split('|')
      return { version, hex }
    }
    const secret = async (id, secretName = NAME) => {
      const where = `tenant_id = '${id}' AND name = '${secretName}'`
      const rows = await sql(`SELECT ${columns} FROM ${store.secrets} WHERE ${where}`)
      const [version, hex] = rows[0].split('|')
      return { version, hex }
    }
    const set = (table, where, { version, hex }) =>
      sql(`UPDATE ${table} SET version = ${version}, blob = ${store.bytes(hex)} WHERE ${where}`)
    const setKey = (id, row) => set(store.keys, `tenant_id = '${id}'`, row)
    const setSecret = (id, row, secretName = NAME) =>
      set(store.secrets, `tenant_id = '${id}' AND name = '${secretName}'`, row)
    const rename = (id, from, to) => {
      const where = `tenant_id = '${id}' AND name = '${from}'`
      return sql(`UPDATE ${store.secrets} SET name = '${to}' WHERE ${where}`)
    }

    // What each twin's vendor is shown, or undefined: it was refused, and nobody was called.
    const shown = async id => {
      const before = vendor.keys.length
      const { status } = await world.turn(twins[id])
      if (status === 200) return vendor.keys[before]
      assert.equal(status, 502)
      assert.equal(vendor.keys.length, before, 'a refused secret called somebody')
      return undefined
    }

    const cases = {
      'secrets are swapped': async () => {
        const [ofA, ofB] = [await secret('a'), await secret('b')]
        await setSecret('a', ofB)
        await setSecret('b', ofA)
        return ['a', 'b']
      },
      'keys are swapped': async () => {
        const [ofA, ofB] = [await key('a'), await key('b')]
        await setKey('a', ofB)
        await setKey('b', ofA)
        return ['a', 'b']
      },
      "one's key and secret stand in the place of another's": async () => {
        await setKey('b', await key('a'))
        await setSecret('b', await secret('a'))
        return ['b']
      },
      'a secret is copied to another twin, and renamed there': async () => {
        await setSecret('b', await secret('a'), 'other')
        await rename('b', NAME, 'was')
        await rename('b', 'other', NAME)
        return ['b']
      },
      'a secret is renamed': async () => {
        await rename('a', NAME, 'was')
        await rename('a', 'other', NAME)
        return ['a']
      },
      'an older version is put back': async () => {
        await setSecret('a', older)
        return ['a']
      },
      'an older version is put back under the number of the present one': async () => {
        await setSecret('a', { ...older, version: (await secret('a')).version })
        return ['a']
      },
      'a bit of a secret is changed': async () => {
        const { version, hex } = await secret('b')
        await setSecret('b', { version, hex: hex.slice(0, 60) + flip(hex) + hex.slice(61) })
        return ['b']
      },
      'a bit of a key is changed': async () => {
        const { version, hex } = await key('b')
        await setKey('b', { version, hex: hex.slice(0, 60) + flip(hex) + hex.slice(61) })
        return ['b']
      },
      'a secret is given to further adapters': async () => {
        await sql(`UPDATE ${store.secrets} SET providers = 'openai,tavus' WHERE tenant_id = 'a'`)
        return ['a']
      },
    }

    let older
    try {
      for (const id of ['a', 'b', 'c']) twins[id] = await world.twin(id, RICH)
      await put('c', 'sk-of-c')
      for (const [what, tamper] of Object.entries(cases)) {
        await put('a', 'sk-of-a-once')
        older = await secret('a')
        for (const id of ['a', 'b']) {
          await put(id, `sk-of-${id}`)
          await put(id, `sk-other-of-${id}`, 'other')
        }
        assert.equal(await shown('a'), 'Bearer sk-of-a', what)
        assert.equal(await shown('b'), 'Bearer sk-of-b', what)
        await world.gateway.stop()
        const victims = await tamper()
        await world.startGateway()
        for (const id of ['a', 'b', 'c']) {
          const expected = victims.includes(id) ? undefined : `Bearer sk-of-${id}`
          assert.equal(await shown(id), expected, `${what}: ${id}`)
        }
        const told = /secret\.refused .*reason="tampered"/
        await until(() => told.test(world.gateway.stderr), `${what}: a line in the log`)
        for (const id of victims) {
          await world.admin('DELETE', `/api/tenants/${id}`)
          twins[id] = await world.twin(id, RICH)
        }
      }
    } finally {
      await store.stop(world)
      vendor.server.close()
    }
  })
