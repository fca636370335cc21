# The region of the units below this folder.

locals {
  region = "us-east-1"
}
