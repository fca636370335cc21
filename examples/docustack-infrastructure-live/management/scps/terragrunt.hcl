include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

terraform {
  source = "../../modules//organization-policies"
}

inputs = {
  allowed_regions = include.root.locals.env.organization.allowed_regions
}
