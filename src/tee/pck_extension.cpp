#include "tee/pck_extension.hpp"

namespace ffe::tee {
namespace {

constexpr const char* kOid = "1.2.840.113741.1.13.1";
constexpr std::array<uint8_t, 9> kOidContent = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 0x0d, 1};
constexpr uint8_t kInteger = 0x02, kOctets = 0x04, kOidTag = 0x06, kSequence = 0x30;

[[noreturn]] void bad(const std::string& message) {
  throw Error(ErrorCode::kBadInput, "SGX extension: " + message,
              "the PCK certificate is damaged or of an unknown form");
}

struct Tlv {
  uint8_t tag = 0;
  ByteView value;
};

// Takes one element off the front of `in`; lengths must be minimal.
Tlv take_tlv(ByteView& in) {
  if (in.size() < 2) bad("truncated");
  Tlv out;
  out.tag = in[0];
  size_t length = in[1], head = 2;
  if (length >= 0x80) {
    size_t octets = length & 0x7f;
    if (octets < 1 || octets > 2 || in.size() < 2 + octets) bad("length is malformed");
    length = octets == 1 ? in[2] : size_t{in[2]} << 8 | in[3];
    if (length < (octets == 1 ? 0x80u : 0x100u)) bad("length is not minimal");
    head += octets;
  }
  if (length > in.size() - head) bad("length exceeds the data");
  out.value = in.subspan(head, length);
  in = in.subspan(head + length);
  return out;
}

struct Item {
  ByteView suffix;  // of the OID, after the common prefix
  Tlv value;
};

Item take_item(ByteView& in, size_t suffix_size) {
  Tlv sequence = take_tlv(in);
  if (sequence.tag != kSequence) bad("an item is not a sequence");
  ByteView inside = sequence.value;
  Tlv oid = take_tlv(inside);
  if (oid.tag != kOidTag || oid.value.size() != kOidContent.size() + suffix_size ||
      !std::equal(kOidContent.begin(), kOidContent.end(), oid.value.begin())) {
    bad("an item has a foreign OID");
  }
  Item out{oid.value.subspan(kOidContent.size()), take_tlv(inside)};
  if (!inside.empty()) bad("an item has trailing bytes");
  return out;
}

template <size_t N>
FixedBytes<N> octets(const Tlv& value, const char* field) {
  if (value.tag != kOctets || value.value.size() != N) {
    bad(std::string(field) + " is not an octet string of " + std::to_string(N) + " bytes");
  }
  return FixedBytes<N>::from(value.value);
}

uint32_t unsigned_integer(const Tlv& value, uint32_t most) {
  ByteView v = value.value;
  if (value.tag != kInteger || v.empty() || v.size() > 3 || (v[0] & 0x80) != 0) {
    bad("a security version is not a small non-negative integer");
  }
  if (v.size() > 1 && v[0] == 0 && (v[1] & 0x80) == 0) bad("an integer is not minimal");
  uint32_t out = 0;
  for (uint8_t byte : v) out = out << 8 | byte;
  if (out > most) bad("a security version is out of range");
  return out;
}

void read_tcb(const Tlv& tcb, PckExtension& out) {
  if (tcb.tag != kSequence) bad("TCB is not a sequence");
  uint32_t seen = 0;
  for (ByteView in = tcb.value; !in.empty();) {
    Item item = take_item(in, 2);
    unsigned index = item.suffix[1];
    if (item.suffix[0] != 2 || index < 1 || index > 18) bad("unknown TCB item");
    if (seen >> index & 1) bad("a TCB item appears twice");
    seen |= 1u << index;
    if (index <= 16) {
      out.components[index - 1] = static_cast<uint8_t>(unsigned_integer(item.value, 255));
    } else if (index == 17) {
      out.pce_svn = static_cast<uint16_t>(unsigned_integer(item.value, 65535));
    } else {
      out.cpu_svn = octets<16>(item.value, "CPUSVN");
    }
  }
  if (seen != 0x7fffe) bad("a TCB item is missing");
}

}  // namespace

PckExtension parse_pck_extension(ByteView der) {
  ByteView in = der;
  Tlv top = take_tlv(in);
  if (top.tag != kSequence || !in.empty()) bad("not one sequence");
  PckExtension out;
  uint32_t seen = 0;
  for (ByteView items = top.value; !items.empty();) {
    Item item = take_item(items, 1);
    unsigned id = item.suffix[0];
    if (id < 1 || id > 31) bad("unknown item");
    if (seen >> id & 1) bad("an item appears twice");
    seen |= 1u << id;
    if (id == 1) out.ppid = octets<16>(item.value, "PPID");
    if (id == 2) read_tcb(item.value, out);
    if (id == 3) out.pce_id = octets<2>(item.value, "PCEID");
    if (id == 4) out.fmspc = octets<6>(item.value, "FMSPC");
    if (id == 6) out.platform_instance_id = octets<16>(item.value, "platform instance id");
  }
  if ((seen & 0x3e) != 0x3e) bad("a mandatory item is missing");
  return out;
}

PckExtension pck_extension(const Certificate& pck) {
  ObjectPtr oid(OBJ_txt2obj(kOid, 1));
  int index = X509_get_ext_by_OBJ(pck.handle(), oid.get(), -1);
  if (index < 0) bad("absent from " + pck.common_name());
  if (X509_get_ext_by_OBJ(pck.handle(), oid.get(), index) >= 0) bad("present twice");
  const ASN1_OCTET_STRING* data = X509_EXTENSION_get_data(X509_get_ext(pck.handle(), index));
  return parse_pck_extension(
      {ASN1_STRING_get0_data(data), static_cast<size_t>(ASN1_STRING_length(data))});
}

}  // namespace ffe::tee
