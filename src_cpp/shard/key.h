// Record keys: the name of a record's members in a WebDataset tar, without the extension.
#pragma once

#include <string>
#include <string_view>

namespace fastinet {

// A key is a relative path. Its last component holds no '.', because WebDataset's readers take everything
// from there on as the extension. Throws Error{kArgument} for '.' in the last component, control
// characters, a leading '/', empty components, "." and ".." components, and more bytes than the format
// allows.
void check_key(std::string_view key);

// A key for any name: bytes that check_key refuses, and '%', become %XX; unescape_key undoes it. Different
// names give different keys. Throws Error{kArgument} for an empty or too long name.
std::string escape_key(std::string_view name);
std::string unescape_key(std::string_view key);

}  // namespace fastinet
