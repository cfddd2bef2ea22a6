// Questions to a person, and only to a person: nothing is asked without a terminal.
#pragma once

#include <string>

namespace ffe::cli {

// --no-input: nothing is asked from now on, although there is a terminal.
void forbid_questions();
bool may_ask();  // stdin and stderr are terminals, and it was not forbidden

// "question [y/N] "; only y and yes are yes. Throws Error{kInterrupted} on Ctrl-C.
bool ask_yes(const std::string& question);

}  // namespace ffe::cli
