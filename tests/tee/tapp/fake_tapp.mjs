// The platform's side of 0G Tapp for tests: a gRPC server (grpc-js) on a Unix socket, where every
// call is served, and on a TCP port, where only the public ones are.
//
//   node fake_tapp.mjs CONFIG.json
//
// CONFIG: {socket, version, appId, signer, appKey, eventLog, secret, quoteUrl}. Hexadecimal values
// without 0x; eventLog and secret may be absent. A quote over report data R is fetched from
// quoteUrl + hex(R): the test plays the quoting enclave. Prints the TCP port when it serves.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import grpc from '@grpc/grpc-js'
import protoLoader from '@grpc/proto-loader'

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const here = dirname(fileURLToPath(import.meta.url))
const old = config.version.startsWith('0.3')
const proto = join(here, old ? 'tapp_service_v0_3.proto' : 'tapp_service.proto')
const { tapp_service: api } = grpc.loadPackageDefinition(
  protoLoader.loadSync(proto, { keepCase: true, longs: Number, defaults: true }))

const hex = (text) => Buffer.from(text, 'hex')
const refuse = (code, details) => Object.assign(new Error(details), { code, details })

async function quoteOver(reportData) {
  const answer = await fetch(config.quoteUrl + reportData.toString('hex'))
  if (!answer.ok) throw refuse(grpc.status.INTERNAL, 'no quote')
  return Buffer.from(await answer.arrayBuffer())
}

async function evidence({ app_id, nonce, report_data }) {
  let runtime = null
  let data = report_data
  if (old) {
    if (data.length !== 64) throw refuse(grpc.status.INVALID_ARGUMENT, 'report_data: 64 bytes')
  } else {
    if (app_id !== config.appId) return { success: false, message: `unknown app ${app_id}` }
    if (nonce.length > 64) throw refuse(grpc.status.INVALID_ARGUMENT, 'nonce: at most 64 bytes')
    runtime = Buffer.from(JSON.stringify({ nonce: '0x' + nonce.toString('hex'), signer: '0x' + config.signer }))
    data = createHash('sha512').update(runtime).digest()
  }
  const body = { quote: (await quoteOver(data)).toString('base64'), gpu_evidence: null }
  if (config.eventLog) body.cc_eventlog = hex(config.eventLog).toString('base64')
  if (runtime) body.runtime_data = runtime.toString('base64')
  return {
    success: true,
    evidence: Buffer.from(JSON.stringify(body)),
    tee_type: 'tdx',
    timestamp: Math.floor(Date.now() / 1000)
  }
}

function serve(handler) {
  return (call, done) => {
    Promise.resolve().then(() => handler(call.request)).then((out) => done(null, out), (error) => done(error))
  }
}

function server(local) {
  const localOnly = (handler) => serve((request) => {
    if (!local) throw refuse(grpc.status.PERMISSION_DENIED, 'local calls only')
    if (request.app_id !== config.appId) return { success: false, message: `unknown app ${request.app_id}` }
    return handler(request)
  })
  const out = new grpc.Server()
  out.addService(api.TappService.service, {
    GetTappInfo: serve(() => ({ success: true, config: { owner_address: '0x00' }, version: config.version })),
    GetEvidence: serve(evidence),
    GetAppSecretKey: localOnly(() => ({ success: true, private_key: hex(config.appKey) })),
    GetSecretResource: localOnly(({ material }) => {
      if (!config.secret) throw refuse(grpc.status.UNIMPLEMENTED, 'no key service: 100% absent')
      const derived = createHash('sha256').update(config.secret).update(config.appId).update(hex(material))
      return { success: true, secret: derived.digest() }
    })
  })
  return out
}

const bind = (target, address) => new Promise((done, fail) => {
  target.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, port) => error ? fail(error) : done(port))
})
await bind(server(true), 'unix:' + config.socket)
console.log(await bind(server(false), '127.0.0.1:0'))
process.stdin.resume() // ends with the test that started it
process.stdin.on('end', () => process.exit(0))
