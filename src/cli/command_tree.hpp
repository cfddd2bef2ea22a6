// The commands as data. Help, completion, man pages and suggestions are all made of this, and this
// is made of the parser itself, so that nothing is written twice.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ffe::cli {

struct Argument {
  std::string name;    // as typed: "--out"; of a positional one: "DATA"
  std::string letter;  // "-o"; empty if it has none
  std::string value;   // "FILE", "N", …; empty for a flag
  std::string help;
  std::string standard;  // the default, where one is worth showing
  bool required = false;
  bool many = false;  // takes several values
};

struct Command {
  std::string path;  // "ffe session open"
  std::string name;  // "open"
  std::string group;
  std::string summary;
  std::vector<std::string> examples;
  std::vector<Argument> positionals;
  std::vector<Argument> options;
  std::vector<Command> commands;
};

// The program or one command of it; hidden commands (of an empty group) are left out.
Command describe(const CLI::App& app);

// "ffe submit SESSION DATA [OPTIONS]"
std::string usage(const Command& command);

// All commands below and including this one, parents first.
std::vector<const Command*> flatten(const Command& root);

// The one of `names` that was probably meant; empty if none is near.
std::string nearest(std::string_view typed, const std::vector<std::string>& names);

}  // namespace ffe::cli
