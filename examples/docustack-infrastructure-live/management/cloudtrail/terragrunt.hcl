include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

terraform {
  source = "../../modules//cloudtrail"
}

dependency "scps" {
  config_path = "../scps"

  # For plans made before the organization exists. Never for apply: nothing real is built on these.
  mock_outputs_allowed_terraform_commands = ["init", "validate", "plan"]
  mock_outputs_merge_strategy_with_state  = "shallow"
  mock_outputs = {
    organization_id = "o-mock"
  }
}

inputs = {
  name            = "docustack-organization"
  region          = include.root.locals.region
  bucket          = "docustack-cloudtrail-${include.root.locals.env.account_id}"
  organization_id = dependency.scps.outputs.organization_id
  retention_days  = include.root.locals.env.cloudtrail.retention_days
}
