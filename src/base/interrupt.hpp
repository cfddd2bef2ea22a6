// Ctrl-C and SIGTERM as a flag that long work looks at, so that everything is put away in order.
#pragma once

#include <chrono>

namespace ffe {

// SIGINT and SIGTERM set the flag; a second one ends the process at once.
void install_interrupt_handler();
bool interrupted();
// Whether the flag was set; clears it. For work that goes on after its current part was stopped.
bool take_interrupt();
// Throws Error{kInterrupted} once the flag is set.
void check_interrupt();
// Waits, looking at the flag meanwhile. Throws Error{kInterrupted} once it is set.
void interruptible_sleep(std::chrono::milliseconds time);

}  // namespace ffe
