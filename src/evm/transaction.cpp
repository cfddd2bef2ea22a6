#include "evm/transaction.hpp"

#include "crypto/keccak.hpp"
#include "evm/rlp.hpp"

namespace ffe::evm {
namespace {

constexpr uint8_t kEip1559Prefix = 0x02;

[[noreturn]] void bad(const std::string& why) {
  throw Error(ErrorCode::kBadInput, "transaction: " + why);
}

RlpItem address_item(const std::optional<Address>& address) {
  return address ? RlpItem::of(ByteView(address->bytes)) : RlpItem(Bytes{});
}

RlpItem access_list_item(const std::vector<AccessListEntry>& list) {
  std::vector<RlpItem> out;
  for (const AccessListEntry& entry : list) {
    std::vector<RlpItem> keys;
    for (const H256& key : entry.storage_keys) keys.push_back(RlpItem::of(ByteView(key.bytes)));
    out.push_back(
        std::vector<RlpItem>{RlpItem::of(ByteView(entry.address.bytes)), std::move(keys)});
  }
  return out;
}

std::vector<RlpItem> unsigned_fields(const Transaction& t) {
  std::vector<RlpItem> out;
  if (t.kind == Transaction::Kind::kLegacy) {
    out = {RlpItem::of(U256(t.nonce)), RlpItem::of(t.gas_price)};
  } else {
    out = {RlpItem::of(U256(t.chain_id)), RlpItem::of(U256(t.nonce)),
           RlpItem::of(t.max_priority_fee_per_gas), RlpItem::of(t.max_fee_per_gas)};
  }
  out.push_back(RlpItem::of(U256(t.gas_limit)));
  out.push_back(address_item(t.to));
  out.push_back(RlpItem::of(t.value));
  out.push_back(RlpItem(t.data));
  if (t.kind == Transaction::Kind::kEip1559) out.push_back(access_list_item(t.access_list));
  return out;
}

Bytes serialise(const Transaction& t, std::vector<RlpItem> fields) {
  Bytes body = rlp_encode(std::move(fields));
  if (t.kind == Transaction::Kind::kEip1559) body.insert(body.begin(), kEip1559Prefix);
  return body;
}

const Bytes& bytes_of(const RlpItem& item, std::string_view what) {
  if (item.is_list) bad(std::string(what) + " is a list");
  return item.bytes;
}

const std::vector<RlpItem>& list_of(const RlpItem& item, std::string_view what) {
  if (!item.is_list) bad(std::string(what) + " is not a list");
  return item.items;
}

uint64_t u64_of(const RlpItem& item, std::string_view what) {
  return item.to_u256(what).to_u64(what);
}

template <size_t N>
FixedBytes<N> fixed_of(const RlpItem& item, std::string_view what) {
  const Bytes& bytes = bytes_of(item, what);
  if (bytes.size() != N) bad(std::string(what) + " has " + std::to_string(bytes.size()) + " bytes");
  return FixedBytes<N>::from(bytes);
}

std::vector<AccessListEntry> read_access_list(const RlpItem& item) {
  std::vector<AccessListEntry> out;
  for (const RlpItem& entry : list_of(item, "access list")) {
    const std::vector<RlpItem>& pair = list_of(entry, "access list entry");
    if (pair.size() != 2) bad("access list entry of " + std::to_string(pair.size()) + " items");
    AccessListEntry& added = out.emplace_back();
    added.address = fixed_of<20>(pair[0], "access list address");
    for (const RlpItem& key : list_of(pair[1], "storage keys")) {
      added.storage_keys.push_back(fixed_of<32>(key, "storage key"));
    }
  }
  return out;
}

// gas limit, to, value, data: the part that both kinds share, from fields[first] on.
void read_common(const std::vector<RlpItem>& fields, size_t first, Transaction& out) {
  out.gas_limit = u64_of(fields[first], "gas limit");
  if (!bytes_of(fields[first + 1], "to").empty()) out.to = fixed_of<20>(fields[first + 1], "to");
  out.value = fields[first + 2].to_u256("value");
  out.data = bytes_of(fields[first + 3], "data");
}

// Returns the parity of the signature's point.
uint64_t read_legacy(const std::vector<RlpItem>& fields, Transaction& out) {
  if (fields.size() != 9) bad("legacy with " + std::to_string(fields.size()) + " fields, not 9");
  out.kind = Transaction::Kind::kLegacy;
  out.nonce = u64_of(fields[0], "nonce");
  out.gas_price = fields[1].to_u256("gas price");
  read_common(fields, 2, out);
  uint64_t v = u64_of(fields[6], "v");
  if (v == 27 || v == 28) {
    throw Error(ErrorCode::kUnsupported, "transaction: legacy without chain id (EIP-155)");
  }
  if (v < 37) bad("v is " + std::to_string(v));
  out.chain_id = (v - 35) / 2;
  return (v - 35) % 2;
}

uint64_t read_eip1559(const std::vector<RlpItem>& fields, Transaction& out) {
  if (fields.size() != 12)
    bad("EIP-1559 with " + std::to_string(fields.size()) + " fields, not 12");
  out.kind = Transaction::Kind::kEip1559;
  out.chain_id = u64_of(fields[0], "chain id");
  out.nonce = u64_of(fields[1], "nonce");
  out.max_priority_fee_per_gas = fields[2].to_u256("priority fee");
  out.max_fee_per_gas = fields[3].to_u256("fee");
  read_common(fields, 4, out);
  out.access_list = read_access_list(fields[8]);
  return u64_of(fields[9], "signature parity");
}

}  // namespace

H256 signing_hash(const Transaction& t) {
  std::vector<RlpItem> fields = unsigned_fields(t);
  if (t.kind == Transaction::Kind::kLegacy) {
    fields.push_back(RlpItem::of(U256(t.chain_id)));
    fields.push_back(RlpItem::of(U256()));
    fields.push_back(RlpItem::of(U256()));
  }
  return crypto::keccak256(serialise(t, std::move(fields)));
}

SignedTransaction sign_transaction(const Transaction& t, const crypto::PrivateKey& key) {
  crypto::Signature signature = key.sign(signing_hash(t));
  ByteView view(signature.bytes);
  uint64_t parity = signature[64] - 27u;
  std::vector<RlpItem> fields = unsigned_fields(t);
  fields.push_back(RlpItem::of(
      t.kind == Transaction::Kind::kLegacy ? U256(t.chain_id) * 2 + 35 + parity : U256(parity)));
  fields.push_back(RlpItem::of(U256::from_be(view.first(32))));
  fields.push_back(RlpItem::of(U256::from_be(view.subspan(32, 32))));
  SignedTransaction out{t, key.address(), serialise(t, std::move(fields)), {}};
  out.hash = crypto::keccak256(out.raw);
  return out;
}

SignedTransaction decode_transaction(ByteView raw) {
  if (raw.empty()) bad("empty");
  bool typed = raw[0] < 0xc0;
  if (typed && raw[0] != kEip1559Prefix) {
    throw Error(ErrorCode::kUnsupported, "transaction of type " + std::to_string(raw[0]));
  }
  RlpItem item = rlp_decode(typed ? raw.subspan(1) : raw);
  const std::vector<RlpItem>& fields = list_of(item, "body");
  SignedTransaction out;
  uint64_t parity =
      typed ? read_eip1559(fields, out.transaction) : read_legacy(fields, out.transaction);
  if (parity > 1) bad("signature parity is " + std::to_string(parity));
  H256 r = fields[fields.size() - 2].to_u256("r").to_h256();
  H256 s = fields[fields.size() - 1].to_u256("s").to_h256();
  Bytes signature = concat({r.bytes, s.bytes});
  signature.push_back(static_cast<uint8_t>(27 + parity));
  out.sender = crypto::recover(signing_hash(out.transaction), crypto::Signature::from(signature));
  out.raw.assign(raw.begin(), raw.end());
  out.hash = crypto::keccak256(raw);
  return out;
}

Address create_address(const Address& sender, uint64_t nonce) {
  H256 hash = crypto::keccak256(rlp_encode(
      std::vector<RlpItem>{RlpItem::of(ByteView(sender.bytes)), RlpItem::of(U256(nonce))}));
  return Address::from(ByteView(hash.bytes).last(20));
}

Address create2_address(const Address& factory, const H256& salt, const H256& init_code_hash) {
  constexpr std::array<uint8_t, 1> kPrefix{0xff};
  H256 hash = crypto::keccak256(concat({kPrefix, factory.bytes, salt.bytes, init_code_hash.bytes}));
  return Address::from(ByteView(hash.bytes).last(20));
}

}  // namespace ffe::evm
