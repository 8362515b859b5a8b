// An issuer of tokens: keys, a JWK set of their public parts, and tokens signed by them. Only
// node:crypto, so that nothing of a JWT library is taken for granted.
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'

const KINDS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
}

const part = value =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

export class Issuer {
  constructor() {
    this.name = 'https://issuer.test'
    this.audience = 'twin-gateway'
    this.keys = new Map()
    this.fetches = 0
    this.fails = false
  }

  addKey(kid, alg = 'EdDSA') {
    this.keys.set(kid, { alg, ...generateKeyPairSync(...KINDS[alg]) })
    return kid
  }

  removeKey(kid) {
    this.keys.delete(kid)
  }

  jwks() {
    const keys = [...this.keys].map(([kid, { alg, publicKey }]) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid,
      alg,
      use: 'sig',
    }))
    return JSON.stringify({ keys })
  }

  // A token of tenant `tenantId` by the key `kid`; `claims` replace the usual ones, undefined
  // leaves one out.
  token(kid, tenantId, claims = {}, header = {}) {
    const { alg, privateKey } = this.keys.get(kid)
    const now = Math.floor(Date.now() / 1000)
    const signed = `${part({ alg, kid, typ: 'JWT', ...header })}.${part({
      iss: this.name,
      aud: this.audience,
      sub: 'rosa',
      tenant_id: tenantId,
      iat: now,
      exp: now + 600,
      jti: randomUUID(),
      ...claims,
    })}`
    const signature = sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(signed), {
      key: privateKey,
      dsaEncoding: 'ieee-p1363',
    })
    return `${signed}.${signature.toString('base64url')}`
  }

  // Serves the keys by HTTP on a free port; `url` is where.
  async listen() {
    this.server = createServer((request, response) => {
      this.fetches++
      if (this.fails) response.writeHead(500).end('no')
      else response.writeHead(200, { 'Content-Type': 'application/json' }).end(this.jwks())
    })
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.url = `http://127.0.0.1:${this.server.address().port}/jwks.json`
    return this
  }

  close() {
    this.server?.closeAllConnections()
    this.server?.close()
  }

  // Settings of a gateway that trusts this issuer, with its keys at `source`.
  env(source = this.url) {
    return {
      TWIN_JWKS: source,
      TWIN_JWT_ISSUER: this.name,
      TWIN_JWT_AUDIENCE: this.audience,
    }
  }
}
