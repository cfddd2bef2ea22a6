// Any text is a TCB info, a QE identity, or an Error; and whatever levels a TCB info holds,
// matching a quote against them ends in a status or an Error.
#include <cstdlib>

#include "fuzz/tolerate.hpp"
#include "tee/tcb.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ffe;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  tolerate([&] {
    tee::TcbInfo info = tee::parse_tcb_info(text);
    if (info.levels.empty()) std::abort();
    tee::PckExtension pck;
    tee::TdReport td;
    td.version = tee::TdVersion::k15;
    for (size_t i = 0; i < 16 && i < size; ++i) {
      pck.components[i] = data[size - 1 - i];
      td.tee_tcb_svn[i] = data[i];
      td.tee_tcb_svn2[i] = data[i];
    }
    pck.pce_svn = 65535;
    tee::SvnLevel qe{.isv_svn = 0, .status = "UpToDate", .advisories = {}};
    tee::ModuleMatch module = tee::match_module(info, td);
    tee::LevelMatch level = tee::match_level(info, pck, td);
    if (level.sgx > level.tdx) std::abort();
    if (tee::converged_status(info, td, level, module, qe).empty()) std::abort();
  });
  tolerate([&] {
    tee::QeIdentity identity = tee::parse_qe_identity(text);
    tee::match_qe(identity, tee::QeReport{});
  });
  return 0;
}
