#include "tee/sim_documents.hpp"

#include "base/hex.hpp"
#include "crypto/hash.hpp"
#include "tee/policy.hpp"

namespace ffe::tee {
namespace {

using Svns = std::array<uint8_t, 16>;

constexpr Svns kSgxSvns = {3, 3, 2, 2, 4, 1, 0, 5};
constexpr Svns kOldSgxSvns = {2, 2, 2, 2, 3, 1, 0, 5};
constexpr Svns kTdxSvns = {5, 0, 3};
constexpr Svns kOldTdxSvns = {4, 0, 2};
constexpr unsigned kPceSvn = 11, kOldPceSvn = 5;
constexpr unsigned kModuleSvn = 6, kOldModuleSvn = 2;
constexpr uint8_t kQeSignerByte = 0xde;  // MRSIGNER of the simulated quoting enclave: not Intel's
constexpr const char* kTcbDate = "2024-01-01T00:00:00Z";

std::string upper_hex(ByteView bytes) {
  std::string out = to_hex(bytes);
  for (char& c : out) {
    if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

std::string svn_list(const Svns& svns) {
  std::string out = "[";
  for (size_t i = 0; i < svns.size(); ++i) {
    out += (i ? "," : "") + std::string("{\"svn\":") + std::to_string(svns[i]) + "}";
  }
  return out + "]";
}

std::string status(const char* name, const char* advisory) {
  std::string out = std::string(",\"tcbDate\":\"") + kTcbDate + "\",\"tcbStatus\":\"" + name + "\"";
  if (advisory != nullptr) out += std::string(",\"advisoryIDs\":[\"") + advisory + "\"]";
  return out + "}";
}

std::string tcb_level(const Svns& sgx, unsigned pce, const Svns& tdx, const char* name,
                      const char* advisory) {
  return "{\"tcb\":{\"sgxtcbcomponents\":" + svn_list(sgx) + ",\"pcesvn\":" + std::to_string(pce) +
         ",\"tdxtcbcomponents\":" + svn_list(tdx) + "}" + status(name, advisory);
}

std::string svn_level(unsigned svn, const char* name, const char* advisory) {
  return "{\"tcb\":{\"isvsvn\":" + std::to_string(svn) + "}" + status(name, advisory);
}

std::string dates(const SimulatedCollateralOptions& options) {
  return "\"issueDate\":\"" + format_utc(options.issued) + "\",\"nextUpdate\":\"" +
         format_utc(options.expires) + "\"";
}

// Written as text, in the order of Intel's members: the signature covers these exact bytes, and a
// contract that reads them relies on the order.
std::string tcb_info_text(const FixedBytes<6>& fmspc, const SimulatedCollateralOptions& options) {
  const std::string module = "\"mrsigner\":\"" + std::string(96, '0') + "\",\"attributes\":\"" +
                             std::string(16, '0') + "\",\"attributesMask\":\"" +
                             std::string(16, 'F') + "\"";
  return "{\"id\":\"TDX\",\"version\":3," + dates(options) + ",\"fmspc\":\"" +
         upper_hex(fmspc.bytes) +
         "\",\"pceId\":\"0000\",\"tcbType\":0,\"tcbEvaluationDataNumber\":" +
         std::to_string(options.evaluation_number) + ",\"tdxModule\":{" + module +
         "},\"tdxModuleIdentities\":[{\"id\":\"TDX_01\"," + module + ",\"tcbLevels\":[" +
         svn_level(kModuleSvn, kUpToDate, nullptr) + "," +
         svn_level(kOldModuleSvn, kOutOfDate, "DEV-SA-00001") + "]}],\"tcbLevels\":[" +
         tcb_level(kSgxSvns, kPceSvn, kTdxSvns, kUpToDate, nullptr) + "," +
         tcb_level(kOldSgxSvns, kOldPceSvn, kOldTdxSvns, kOutOfDate, "DEV-SA-00002") + "]}";
}

std::string qe_identity_text(const SimulatedCollateralOptions& options) {
  return "{\"id\":\"TD_QE\",\"version\":2," + dates(options) +
         ",\"tcbEvaluationDataNumber\":" + std::to_string(options.evaluation_number) +
         ",\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
         "\"attributes\":\"11000000000000000000000000000000\","
         "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"" +
         upper_hex(Bytes(32, kQeSignerByte)) + "\",\"isvprodid\":2,\"tcbLevels\":[" +
         svn_level(4, kUpToDate, nullptr) + "]}";
}

void put_le(Bytes& out, uint64_t value, int size) {
  for (int i = 0; i < size; ++i, value >>= 8) out.push_back(static_cast<uint8_t>(value));
}

void put_zeros(Bytes& out, size_t size) {
  out.resize(out.size() + size);
}

Bytes header(int version) {
  Bytes out;
  put_le(out, static_cast<uint64_t>(version), 2);
  put_le(out, 2, 2);     // ECDSA P-256
  put_le(out, 0x81, 4);  // TDX
  put_zeros(out, 4);
  append(out, from_hex("939a7233f79c4ca9940a0db3957f0607"));
  put_zeros(out, 20);
  return out;
}

Bytes tee_tcb_svn(const SimulatedQuoteOptions& options) {
  Bytes out(16);
  out[0] = options.module_out_of_date ? kOldModuleSvn : kModuleSvn;
  out[1] = 1;
  out[2] = options.tcb_out_of_date ? kOldTdxSvns[2] : kTdxSvns[2];
  return out;
}

Bytes td_report(const SimulatedMeasurements& m, const FixedBytes<64>& report_data,
                const SimulatedQuoteOptions& options) {
  TdReport identity = simulated_identity(m);
  if (options.debug) identity.td_attributes[0] |= 1;
  Bytes out = tee_tcb_svn(options);
  append(out, crypto::sha384(as_bytes("ffe.simulator.tdx-module")).bytes);
  put_zeros(out, 48 + 8);  // MRSIGNERSEAM, SEAMATTRIBUTES
  append(out, identity.td_attributes.bytes);
  append(out, identity.xfam.bytes);
  append(out, m.mr_td.bytes);
  append(out, m.mr_config_id.bytes);
  put_zeros(out, 48 + 48);  // MROWNER, MROWNERCONFIG
  for (const Measurement& rtmr : m.rtmr) append(out, rtmr.bytes);
  append(out, report_data.bytes);
  if (options.td15) {
    append(out, tee_tcb_svn({}));
    append(out, options.mr_service_td.bytes);
  }
  return out;
}

Bytes qe_report(const FixedBytes<64>& attestation_key, ByteView auth) {
  Bytes out = from_hex("0303191b04ff00060000000000000000");  // CPUSVN
  put_zeros(out, 4 + 28);
  append(out, from_hex("1500000000000000e700000000000000"));  // ATTRIBUTES
  append(out, crypto::sha256(as_bytes("ffe.simulator.quoting-enclave")).bytes);
  put_zeros(out, 32);
  append(out, Bytes(32, kQeSignerByte));
  put_zeros(out, 96);
  put_le(out, 2, 2);  // ISVPRODID
  put_le(out, 6, 2);  // ISVSVN
  put_zeros(out, 60);
  append(out, crypto::sha256(concat({attestation_key.bytes, auth})).bytes);
  put_zeros(out, 32);
  return out;
}

Bytes certification(const SimulatedKeys& keys, const SimulatedChain& chain,
                    const SimulatedQuoteOptions& options) {
  Bytes auth;
  for (uint8_t i = 0; i < 32; ++i) auth.push_back(i);
  Bytes out = qe_report(keys.attestation.public_key(), auth);
  if (options.edit_qe) options.edit_qe(out);
  append(out, keys.pck.sign(out).bytes);
  put_le(out, auth.size(), 2);
  append(out, auth);
  std::string pem = to_pem(chain.pck) + to_pem(chain.intermediate) + to_pem(chain.root);
  put_le(out, 5, 2);
  put_le(out, pem.size(), 4);
  append(out, as_bytes(pem));
  return out;
}

}  // namespace

PckExtension simulated_platform_values(const FixedBytes<16>& ppid,
                                       const FixedBytes<16>& platform_instance_id) {
  PckExtension out;
  out.ppid = ppid;
  out.platform_instance_id = platform_instance_id;
  out.components = kSgxSvns;
  out.cpu_svn.bytes = kSgxSvns;
  out.pce_svn = kPceSvn;
  out.fmspc = fixed_from_hex<6>("00de50000000");  // not one of Intel's
  return out;
}

TdReport simulated_identity(const SimulatedMeasurements& measurements) {
  TdReport out;
  out.mr_td = measurements.mr_td;
  out.rtmr = measurements.rtmr;
  out.mr_config_id = measurements.mr_config_id;
  out.td_attributes = fixed_from_hex<8>("0000001000000000");  // SEPT_VE_DISABLE
  out.xfam = fixed_from_hex<8>("e702060000000000");
  return out;
}

Collateral simulated_collateral(const SimulatedKeys& keys, const SimulatedChain& chain,
                                const SimulatedCollateralOptions& options) {
  std::vector<const Certificate*> by_root, by_intermediate;
  if (options.revoke_intermediate) by_root.push_back(&chain.intermediate);
  if (options.revoke_tcb_signing) by_root.push_back(&chain.tcb_signing);
  if (options.revoke_pck) by_intermediate.push_back(&chain.pck);

  Collateral out;
  out.root_ca_crl = make_crl(chain.root, keys.root, options.issued, options.expires, by_root);
  out.pck_crl = make_crl(chain.intermediate, keys.intermediate, options.issued, options.expires,
                         by_intermediate);
  out.pck_crl_issuer_chain = to_pem(chain.intermediate) + to_pem(chain.root);
  out.tcb_info_issuer_chain = to_pem(chain.tcb_signing) + to_pem(chain.root);
  out.qe_identity_issuer_chain = out.tcb_info_issuer_chain;
  out.tcb_info = tcb_info_text(pck_extension(chain.pck).fmspc, options);
  out.tcb_info_signature = keys.tcb_signing.sign(as_bytes(out.tcb_info));
  out.qe_identity = qe_identity_text(options);
  out.qe_identity_signature = keys.tcb_signing.sign(as_bytes(out.qe_identity));
  return out;
}

Bytes simulated_quote(const SimulatedKeys& keys, const SimulatedChain& chain,
                      const SimulatedMeasurements& measurements, const FixedBytes<64>& report_data,
                      const SimulatedQuoteOptions& options) {
  if ((options.version != 4 && options.version != 5) || (options.td15 && options.version != 5)) {
    throw Error(ErrorCode::kUsage, "simulator: quotes have version 4, or 5 for TD report 1.5");
  }
  Bytes body = td_report(measurements, report_data, options);
  if (options.edit_td) options.edit_td(body);
  Bytes out = header(options.version);
  if (options.version == 5) {
    put_le(out, options.td15 ? 3 : 2, 2);
    put_le(out, body.size(), 4);
  }
  append(out, body);

  Bytes inner = certification(keys, chain, options);
  Bytes section = concat({keys.attestation.sign(out).bytes, keys.attestation.public_key().bytes});
  put_le(section, 6, 2);
  put_le(section, inner.size(), 4);
  append(section, inner);
  put_le(out, section.size(), 4);
  append(out, section);
  return out;
}

}  // namespace ffe::tee
