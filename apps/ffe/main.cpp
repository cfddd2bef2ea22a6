#include "cli/command.hpp"

int main(int argc, char** argv) {
  return ffe::cli::run(argc, argv);
}
