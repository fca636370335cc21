include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

terraform {
  source = "../../../modules//audit-log"
}

inputs = {
  name           = include.root.locals.name
  retention_days = 365
}
