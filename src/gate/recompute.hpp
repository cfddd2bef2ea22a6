// What anyone can recompute from gate.json alone.
#pragma once

#include <vector>

#include "session/reports.hpp"

namespace ffe::gate {

// Every evidence from its sorted values, every threshold and every verdict that follows from them.
std::vector<session::ReportCheck> recompute(const session::GateReport& report);

}  // namespace ffe::gate
